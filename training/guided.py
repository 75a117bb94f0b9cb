"""Latents as guidance leaves them, so that training sees what sampling will.

Guidance of scale w puts (w - 1)(c - u) on top of the picture: c is what the network takes it for
with the prompt, u without (arXiv:2207.12598). In y = x / a = x0 + sigma e, the sampler's
dy / dsigma = (y - guided x0) / sigma (arXiv:2206.00364) carries that excess along, and it only
shrinks as sigma does. A network that has seen noisy true pictures alone takes it for part of the
picture: colours run over. One that has seen it, and the picture that was meant, ends on that
picture with a high scale too.
"""

from __future__ import annotations

import torch

#: Where sigma is less, captions are not heard: what they mean can be seen. There, the prompt makes
#: small differences only, which a high scale multiplies, and no later step mends (Kynkäänniemi et
#: al., 2024, arXiv:2404.07724).
HEARD_FROM = 0.75
#: Share of the samples with an excess.
SHARE = 0.7
#: The largest excess, in differences between the pictures with and without the prompt.
LARGEST_EXCESS = 8.0


def heard(prompt_embeds: torch.Tensor, signal: torch.Tensor) -> torch.Tensor:
    """The embeddings (batch, 77, hidden), and another's where the noise is low.

    Takes `signal`, alpha_bar of each timestep, (batch,). A network that is never told the truth
    there learns not to listen, and predicts the same with a prompt and without.
    """
    is_heard = ((1 - signal) / signal).sqrt() >= HEARD_FROM
    return torch.where(is_heard.view(-1, 1, 1), prompt_embeds, prompt_embeds.roll(1, 0))


def draw_excess(difference: torch.Tensor, signal: torch.Tensor) -> torch.Tensor:
    """What guidance may have put on top of the pictures; nothing on some of them.

    Takes the `difference` of the velocities that are predicted with and without the prompt,
    (batch, channels, height, width), and `signal`, alpha_bar of each timestep, (batch,). As
    x0 = a x - s v, the pictures differ by -s times as much.
    """
    size = LARGEST_EXCESS * torch.rand_like(signal) * (torch.rand_like(signal) < SHARE)
    return (-size * (1 - signal).sqrt()).view(-1, 1, 1, 1) * difference


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
