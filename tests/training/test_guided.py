"""What guidance puts on top of a picture is seen through."""

from __future__ import annotations

import torch

from training.guided import KNOWN_FROM, LARGEST_EXCESS, SHARE, draw_excess, see_through
from training.schedule import add_noise, alphas_cumprod

COUNT = 2000
SIGNAL = alphas_cumprod()


def contrast(count: int = COUNT) -> torch.Tensor:
    return torch.ones(count, 4, 2, 2)


def excess_at(timestep: int) -> torch.Tensor:
    torch.manual_seed(0)
    return draw_excess(contrast(), SIGNAL[timestep].expand(COUNT))[:, 0, 0, 0]


def test_half_of_the_pictures_have_an_excess_of_any_size() -> None:
    excess = excess_at(999)
    assert abs((excess > 0).float().mean() - SHARE) < 0.05
    assert LARGEST_EXCESS * 0.95 < excess.max() <= LARGEST_EXCESS
    assert excess.min() == 0


def test_an_excess_shrinks_with_the_noise() -> None:
    # sigma is 0.029 at the first timestep: a share of sigma / sigma* is left.
    sigma = ((1 - SIGNAL[0]) / SIGNAL[0]).sqrt()
    largest = LARGEST_EXCESS * sigma / KNOWN_FROM
    assert largest * 0.8 < excess_at(0).max() <= largest


def test_the_velocity_leads_to_the_picture_whatever_lies_on_top() -> None:
    torch.manual_seed(0)
    timesteps = torch.arange(0, 1000, 10)
    signal, picture = SIGNAL[timesteps], torch.randn(100, 4, 2, 2)
    noise = torch.randn_like(picture)
    noisy, velocity = add_noise(picture, noise, signal)
    excess = draw_excess(contrast(100), signal)
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
