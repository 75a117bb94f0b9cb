"""Every thing on every named background, encoded once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL

from training.balance import balance_channels
from training.checkpoint import load_checkpoint, save_checkpoint
from training.pictures import Things, background_colours, composite


@dataclass(frozen=True)
class EncodedThings:
    """Scaled latents (things, backgrounds, 4, height, width), and what brought them there."""

    latents: torch.Tensor
    mean: torch.Tensor
    std: torch.Tensor

    @property
    def scaling_factor(self) -> float:
        """What the balanced autoencoder's latents are multiplied by to have a spread of one."""
        return 1 / float(self.std.square().mean().sqrt())


@torch.inference_mode()
def encode_things(vae: AutoencoderKL, things: Things) -> EncodedThings:
    """Encode all pairs with an autoencoder that is not balanced yet."""
    colours = background_colours()
    rows = []
    for picture in things.pictures:
        pictures = composite(picture.expand(len(colours), -1, -1, -1), colours)
        posterior = vae.encode(pictures.to(vae.device)).latent_dist
        rows.append(posterior.mode().float().cpu())
    latents = torch.stack(rows)
    mean, std = latents.mean((0, 1, 3, 4)), latents.std((0, 1, 3, 4))
    return EncodedThings((latents - mean.view(-1, 1, 1)) / std.view(-1, 1, 1), mean, std)


def save_latents(path: Path, encoded: EncodedThings) -> None:
    """Keep the latents in half precision beside the run's checkpoints."""
    save_checkpoint(
        path, {"latents": encoded.latents.half(), "mean": encoded.mean, "std": encoded.std}
    )


def load_latents(path: Path) -> EncodedThings:
    """What save_latents wrote."""
    state = load_checkpoint(path)
    if state is None:
        raise FileNotFoundError(f"{path} is missing: train the autoencoder first")
    return EncodedThings(state["latents"].float(), state["mean"], state["std"])


def balanced(vae: AutoencoderKL, encoded: EncodedThings) -> AutoencoderKL:
    """The autoencoder whose scaled latents are `encoded.latents`."""
    balance_channels(vae, encoded.mean, encoded.std)
    vae.register_to_config(scaling_factor=round(encoded.scaling_factor, 6))
    return vae
