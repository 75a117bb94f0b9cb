"""Every picture in every place on every named background, encoded once."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL

from training.balance import balance_channels
from training.checkpoint import load_checkpoint, save_checkpoint
from training.config import Recipe
from training.device import autocast
from training.pictures import (
    Things,
    background_colours,
    composite,
    fingerprint,
    place_pictures,
    views,
)
from training.vae import load_trained_vae


@dataclass(frozen=True)
class EncodedThings:
    """Scaled latents (views, backgrounds, 4, height, width), and what brought them there.

    `views` is the fingerprint of the views that the rows are.
    """

    latents: torch.Tensor
    mean: torch.Tensor
    std: torch.Tensor
    views: str

    @property
    def scaling_factor(self) -> float:
        """What the balanced autoencoder's latents are multiplied by to have a spread of one."""
        return 1 / float(self.std.square().mean().sqrt())


@torch.inference_mode()
def encode_things(vae: AutoencoderKL, things: Things, recipe: Recipe) -> EncodedThings:
    """Encode all pairs with an autoencoder that is not balanced yet.

    The latents stay where the autoencoder is. In the recipe's bfloat16 they are some 0.4% of their
    spread off, less than the least noise that is ever added to them.
    """
    colours, every = background_colours(), views(things, recipe.places)
    device = vae.device.type
    at_once = 1 if device == "cpu" else 64
    vae = deepcopy(vae).to(memory_format=torch.channels_last)
    rows = []
    for start in range(0, len(every), at_once):
        pictures = place_pictures(things, every[start : start + at_once]).to(vae.device)
        pictures = pictures.repeat_interleave(len(colours), dim=0)
        pixels = composite(pictures, colours.repeat(len(pictures) // len(colours), 1))
        with autocast(recipe, device):
            encoded = vae.encode(pixels.contiguous(memory_format=torch.channels_last))
        rows.append(encoded.latent_dist.mode().float())
    latents = torch.cat(rows).unflatten(0, (len(every), len(colours)))
    mean, std = latents.mean((0, 1, 3, 4)), latents.std((0, 1, 3, 4))
    scaled = (latents - mean.view(-1, 1, 1)) / std.view(-1, 1, 1)
    return EncodedThings(scaled, mean, std, fingerprint(things, recipe.places))


def save_latents(path: Path, encoded: EncodedThings) -> None:
    """Keep the latents in half precision beside the run's checkpoints."""
    state = {"latents": encoded.latents.half(), "mean": encoded.mean, "std": encoded.std}
    tensors = {name: tensor.cpu() for name, tensor in state.items()}
    save_checkpoint(path, {**tensors, "views": encoded.views})


def load_latents(path: Path) -> EncodedThings:
    """What save_latents wrote; the latents stay in half precision.

    They may be of no known views: what brought them there is true all the same.
    """
    state = load_checkpoint(path)
    if state is None:
        raise FileNotFoundError(f"{path} is missing: train the autoencoder first")
    return EncodedThings(state["latents"], state["mean"], state["std"], state.get("views", ""))


def latents_to_train(things: Things, recipe: Recipe, run: Path) -> torch.Tensor:
    """The latents in run/latents.pt, on the recipe's device.

    Raises ValueError where their rows are not the recipe's views: captions would be paired with
    other pictures.
    """
    path = run / "latents.pt"
    encoded = load_latents(path)
    if encoded.views != fingerprint(things, recipe.places):
        raise ValueError(
            f"{path} is not of the things, styles, places and pictures that {recipe.name} has now: "
            f"`python -m training.train {recipe.name} --only latents` encodes these; "
            "training.run does, once the file is removed"
        )
    return encoded.latents.to(recipe.device)


def encode_run(things: Things, recipe: Recipe, run: Path) -> None:
    """Write run/latents.pt with the autoencoder in run/vae.pt, on the recipe's device."""
    vae = load_trained_vae(recipe, run, things.pictures.shape[-1]).to(recipe.device)
    save_latents(run / "latents.pt", encode_things(vae, things.to(recipe.device), recipe))


def balanced(vae: AutoencoderKL, encoded: EncodedThings) -> AutoencoderKL:
    """The autoencoder whose scaled latents are `encoded.latents`."""
    balance_channels(vae, encoded.mean, encoded.std)
    vae.register_to_config(scaling_factor=round(encoded.scaling_factor, 6))
    return vae
