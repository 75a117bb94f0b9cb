"""Latents as guidance leaves them, so that training sees what sampling will.

Guidance of scale w puts (w - 1)(x0 - u) on top of the picture x0, where u is what the network
expects without a prompt: while the noise is high, hardly more than the mean of all pictures. With
y = x / a = x0 + sigma e, the sampler's dy / dsigma = (y - guided x0) / sigma carries that excess
along. It stays as large as it is while u knows nothing, and once the noise is so low, at some
sigma*, that u sees the picture for itself, it shrinks as sigma / sigma* does. A network that has
seen noisy true pictures alone takes an excess for part of the picture, and colours run over; one
that has learned to see through it ends on the picture, whatever the scale (arXiv:2207.12598 has
guidance, arXiv:2206.00364 y and sigma).
"""

from __future__ import annotations

import torch

#: Share of the samples with an excess.
SHARE = 0.5
#: The largest excess, in differences between a picture and what is expected without a prompt.
LARGEST_EXCESS = 7.0
#: sigma* lies between these, evenly in its logarithm.
KNOWN_BELOW, KNOWN_FROM = 12.0, 2.0


def draw_excess(contrast: torch.Tensor, signal: torch.Tensor) -> torch.Tensor:
    """What guidance may have put on top of the pictures; nothing on some of them.

    Takes `contrast`, the pictures less what is expected without a prompt, (batch, channels,
    height, width), and `signal`, alpha_bar of each sample's timestep (batch,).
    """

    def uniform() -> torch.Tensor:
        return torch.rand_like(signal)

    sigma = ((1 - signal) / signal).sqrt()
    known = KNOWN_FROM * (KNOWN_BELOW / KNOWN_FROM) ** uniform()
    size = LARGEST_EXCESS * uniform() * (sigma / known).clamp_max(1) * (uniform() < SHARE)
    return size.view(-1, 1, 1, 1) * contrast


def see_through(
    noisy: torch.Tensor, velocity: torch.Tensor, excess: torch.Tensor, signal: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Noisy latents with the excess, the velocity that still leads to the picture, and weights.

    From x + a d, the velocity v + (a^2 / s) d leads to the same x0. The weights (batch, 1, 1, 1)
    keep a large excess from outweighing the rest of the loss.
    """
    signal = signal.view(-1, 1, 1, 1)
    detour = excess * signal / (1 - signal).sqrt()
    weights = 1 / (1 + detour.square().mean((1, 2, 3), keepdim=True))
    return noisy + signal.sqrt() * excess, velocity + detour, weights
