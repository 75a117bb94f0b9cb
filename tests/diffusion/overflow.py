"""A VAE that half precision is too small for."""

from __future__ import annotations

import copy

import torch
from diffusers import AutoencoderKL


def overflowing(vae: AutoencoderKL) -> AutoencoderKL:
    """A copy in float16 whose first layer goes beyond 65,504; float32 normalises that away."""
    vae = copy.deepcopy(vae).float()
    with torch.no_grad():
        vae.decoder.conv_in.weight.mul_(1e6).clamp_(-6e4, 6e4)
    return vae.half()
