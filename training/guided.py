"""What keeps a high guidance scale on the picture: training sees what sampling will.

Guidance of scale w puts d = (w - 1)(c - u) on top of the picture x0 (Saharia et al., 2022,
arXiv:2205.11487, equation 2): c is what the network takes it for with the prompt, u without. In
y = x / a = x0 + sigma e, the sampler's dy / dsigma = (y - guided x0) / sigma (Karras et al., 2022,
arXiv:2206.00364) draws y towards x0 + d. The excess E above the picture obeys
dE / dsigma = (E - d) / sigma: it comes to be any part of d, and goes as sigma does once the network
sees through it. One that has seen noisy true pictures alone takes it for part of the picture, and
colours run over; one that has seen it, and the picture that was meant, ends on that picture.
"""

from __future__ import annotations

import torch

#: Where sigma is less, captions are not heard: what they mean can be seen. There, the prompt makes
#: small differences only, which a high scale multiplies, and no later step mends (Kynkäänniemi et
#: al., 2024, arXiv:2404.07724).
HEARD_FROM = 0.75
#: Share of the samples with an excess.
EXCESS_SHARE = 0.7
#: The largest excess, in differences between the pictures with and without the prompt.
LARGEST_EXCESS = 8.0


def mislead(prompt_embeds: torch.Tensor, signal: torch.Tensor) -> torch.Tensor:
    """The embeddings (batch, 77, hidden), and another picture's where the noise is low.

    Takes `signal`, alpha_bar of each timestep, (batch,). A network that is never told the truth
    there learns not to listen, and predicts the same with a prompt and without. A batch of one has
    no other picture, and keeps its own.
    """
    is_heard = ((1 - signal) / signal).sqrt() >= HEARD_FROM
    return torch.where(is_heard.view(-1, 1, 1), prompt_embeds, prompt_embeds.roll(1, 0))


def draw_excess(difference: torch.Tensor, signal: torch.Tensor) -> torch.Tensor:
    """What guidance may have put on top of the pictures; nothing on some of them.

    Takes the `difference` of the velocities that are predicted with and without the prompt,
    (batch, channels, height, width), and `signal`, alpha_bar of each timestep, (batch,). As
    x0 = a x - s v, the pictures differ by -s times as much.
    """
    size = LARGEST_EXCESS * torch.rand_like(signal) * (torch.rand_like(signal) < EXCESS_SHARE)
    return (-size * (1 - signal).sqrt()).view(-1, 1, 1, 1) * difference


def see_through(
    noisy: torch.Tensor, velocity: torch.Tensor, excess: torch.Tensor, signal: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Noisy latents with the excess, the velocity that still leads to the picture, and weights.

    All are (batch, channels, height, width) but `signal`, alpha_bar of each timestep, (batch,), and
    the weights, (batch, 1, 1, 1). From x + a E, the velocity v + (a^2 / s) E leads to the same x0,
    with a^2 = alpha_bar and s^2 = 1 - a^2. The weights keep a large excess from outweighing the
    rest of the loss.
    """
    signal = signal.view(-1, 1, 1, 1)
    detour = excess * signal / (1 - signal).sqrt()
    weights = 1 / (1 + detour.square().mean((1, 2, 3), keepdim=True))
    return noisy + signal.sqrt() * excess, velocity + detour, weights
