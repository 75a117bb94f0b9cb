"""Give an autoencoder's latent channels one mean and one spread, without changing its pictures.

Training leaves some channels much wider than others, and under one noise schedule a narrow
channel drowns first. The correction is folded into the 1×1 convolutions on either side of the
latents, so the result is an ordinary AutoencoderKL.
"""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL


@torch.no_grad()
def balance_channels(vae: AutoencoderKL, mean: torch.Tensor, std: torch.Tensor) -> None:
    """Bring channels of the measured `mean` and `std`, each (4,), to mean 0 and one common std."""
    channels = len(mean)
    gain = std.square().mean().sqrt() / std
    quant, post_quant = vae.quant_conv, vae.post_quant_conv
    # The first rows give the posterior's mean, the others its log-variance.
    quant.weight[:channels] *= gain.view(-1, 1, 1, 1)
    quant.bias[:channels] = (quant.bias[:channels] - mean) * gain
    quant.bias[channels:] += 2 * gain.log()
    post_quant.bias += post_quant.weight[:, :, 0, 0] @ mean
    post_quant.weight /= gain.view(1, -1, 1, 1)
