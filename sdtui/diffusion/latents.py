"""The seeded noise from which a picture is denoised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from sdtui.diffusion.components import LoadedComponents


@dataclass(frozen=True)
class InitialLatents:
    """Gaussian noise times `init_noise_sigma`.

    `latents` is (1, in_channels, latent_height, latent_width). `generator` is the CPU generator
    behind it, advanced by the draw; schedulers that add noise go on drawing from it.
    """

    latents: torch.Tensor
    generator: torch.Generator
    seed: int
    init_noise_sigma: float


@torch.inference_mode()
def draw_latents(
    components: LoadedComponents,
    *,
    width: int,
    height: int,
    seed: int,
    init_noise_sigma: torch.Tensor | float,
) -> InitialLatents:
    """Draw the noise for a picture of `width` by `height` pixels.

    It is drawn in float32 by the CPU's generator on every device, so that a seed is one picture
    everywhere, and only then moved and cast.
    """
    factor = components.vae_scale_factor
    channels = components.unet.config.in_channels
    generator = torch.Generator("cpu").manual_seed(seed)
    noise = torch.randn((1, channels, height // factor, width // factor), generator=generator)
    latents = noise.to(components.device, components.dtype) * init_noise_sigma
    return InitialLatents(latents, generator, seed, float(init_noise_sigma))
