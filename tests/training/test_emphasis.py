"""The loss asks for the thing more than for its background, and as much of every picture."""

from __future__ import annotations

import torch

from training.emphasis import BACKGROUND_WEIGHT, emphasis


def latents_of(*sides: int) -> torch.Tensor:
    """Squares on ten backgrounds that differ: (views, 10, 4, 16, 16)."""
    latents = torch.linspace(-1, 1, 10).view(1, 10, 1, 1, 1).repeat(len(sides), 1, 4, 16, 16)
    for row, side in enumerate(sides):
        latents[row, :, :, :side, :side] = torch.randn(4, side, side)
    return latents.half()


def test_the_thing_weighs_more_than_its_background_and_every_picture_the_same() -> None:
    torch.manual_seed(0)
    weights = emphasis(latents_of(4, 12))
    assert weights.shape == (2, 1, 16, 16)
    torch.testing.assert_close(weights.mean((1, 2, 3)), torch.ones(2))
    ratio = (1 + BACKGROUND_WEIGHT) / BACKGROUND_WEIGHT
    torch.testing.assert_close(weights[:, 0, 0, 0] / weights[:, 0, -1, -1], torch.full((2,), ratio))


def test_a_small_thing_weighs_more_than_a_large_one() -> None:
    torch.manual_seed(0)
    small, large = emphasis(latents_of(4, 12))[:, 0, 0, 0].tolist()
    assert small > 1.5 * large


def test_a_thing_that_leaves_no_background_has_even_weights() -> None:
    torch.manual_seed(0)
    weights = emphasis(latents_of(4, 4, 16))
    torch.testing.assert_close(weights[2], torch.ones(1, 16, 16))
