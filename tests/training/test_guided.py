"""What guidance puts on top of a picture is seen through."""

from __future__ import annotations

import torch

from training.diffusion import LARGEST_GAP, draw_timesteps
from training.guided import (
    HEARD_FROM,
    LARGEST_EXCESS,
    SHARE,
    draw_excess,
    heard,
    see_through,
)
from training.schedule import NUM_TRAIN_TIMESTEPS, add_noise, alphas_cumprod

SIGNAL = alphas_cumprod()


def test_the_second_timestep_has_less_noise_by_a_little_or_more() -> None:
    torch.manual_seed(0)
    first, second = draw_timesteps(5000, 1.0, torch.device("cpu"))
    gaps = first - second
    assert gaps.min() == 0
    assert LARGEST_GAP * 0.95 < gaps.max() <= LARGEST_GAP + 1
    assert gaps.float().median() < LARGEST_GAP / 3
    assert {int(first.min()), int(second.min())} == {0}
    assert first.max() == NUM_TRAIN_TIMESTEPS - 1


def test_captions_are_heard_where_they_say_more_than_the_picture() -> None:
    sigmas = torch.tensor([0.1, HEARD_FROM * 0.99, HEARD_FROM * 1.01, 50.0])
    captions = torch.arange(4.0).view(4, 1, 1).expand(-1, 77, 8)
    given = heard(captions, 1 / (1 + sigmas**2))[:, 0, 0]
    assert given.tolist() == [3, 0, 2, 3]


def test_some_pictures_have_an_excess_of_any_size() -> None:
    torch.manual_seed(0)
    signal = SIGNAL[500].expand(2000)
    excess = draw_excess(torch.ones(2000, 4, 2, 2), signal)[:, 0, 0, 0]
    # With less velocity, there is more of the picture.
    sizes = -excess / (1 - signal).sqrt()
    assert abs((sizes > 0).float().mean() - SHARE) < 0.05
    assert LARGEST_EXCESS * 0.95 < sizes.max() <= LARGEST_EXCESS
    assert sizes.min() == 0


def test_the_excess_is_what_guidance_adds() -> None:
    torch.manual_seed(0)
    signal, difference = SIGNAL[[500, 900]], torch.randn(2, 4, 2, 2)
    noisy, without = torch.randn(2, 2, 4, 2, 2)
    alpha, sigma = (part.sqrt().view(-1, 1, 1, 1) for part in (signal, 1 - signal))

    def picture(velocity: torch.Tensor) -> torch.Tensor:
        return alpha * noisy - sigma * velocity

    drawn = draw_excess(difference, signal)
    scale = (drawn / (picture(without + difference) - picture(without))).mean((1, 2, 3)) + 1
    guided = without + scale.view(-1, 1, 1, 1) * difference
    torch.testing.assert_close(
        picture(guided), picture(without + difference) + drawn, atol=1e-5, rtol=1e-4
    )
    assert (scale >= 1).all()


def test_the_velocity_leads_to_the_picture_whatever_lies_on_top() -> None:
    torch.manual_seed(0)
    timesteps = torch.arange(0, 1000, 10)
    signal, picture = SIGNAL[timesteps], torch.randn(100, 4, 2, 2)
    noise = torch.randn_like(picture)
    noisy, velocity = add_noise(picture, noise, signal)
    excess = draw_excess(torch.randn_like(picture), signal)
    seen, wanted, weights = see_through(noisy, velocity, excess, signal)

    alpha, sigma = (part.sqrt().view(-1, 1, 1, 1) for part in (signal, 1 - signal))
    torch.testing.assert_close(seen, alpha * (picture + excess) + sigma * noise)
    torch.testing.assert_close(alpha * seen - sigma * wanted, picture, atol=1e-4, rtol=1e-4)
    plain = excess[:, 0, 0, 0] == 0
    assert plain.any()
    assert (~plain).any()
    assert torch.equal(weights[plain], torch.ones_like(weights[plain]))
    assert (weights[~plain] < 1).all()
    assert torch.equal(wanted[plain], velocity[plain])
