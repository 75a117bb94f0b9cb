"""The seeded noise."""

from __future__ import annotations

import pytest
import torch

from sdtui.diffusion.components import LoadedComponents
from sdtui.diffusion.latents import InitialLatents, draw_latents


def draw(components: LoadedComponents, seed: int, init_noise_sigma: float = 1.0) -> InitialLatents:
    return draw_latents(
        components, width=96, height=64, seed=seed, init_noise_sigma=init_noise_sigma
    )


def test_the_shape_follows_the_vaes_scale_factor(components: LoadedComponents) -> None:
    assert components.vae_scale_factor == 8
    assert draw(components, 1).latents.shape == (1, 4, 8, 12)


def test_the_same_seed_draws_the_same_noise(components: LoadedComponents) -> None:
    assert torch.equal(draw(components, 7).latents, draw(components, 7).latents)
    assert not torch.equal(draw(components, 7).latents, draw(components, 8).latents)


def test_the_noise_is_scaled_by_what_the_scheduler_starts_from(
    components: LoadedComponents,
) -> None:
    scaled = draw(components, 7, init_noise_sigma=14.6)

    assert scaled.init_noise_sigma == 14.6
    assert torch.equal(scaled.latents, draw(components, 7).latents * 14.6)


@pytest.mark.parametrize("seed", [0, 2**32, 2**63 - 1])
def test_every_seed_that_the_parameters_allow_can_be_drawn(
    components: LoadedComponents, seed: int
) -> None:
    assert torch.isfinite(draw(components, seed).latents).all()
