"""Latents → picture, through the VAE's decoder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from diffusers import AutoencoderKL
from PIL import Image

from sdtui.diffusion.memory import free_memory, is_out_of_memory
from sdtui.errors import GenerationError


@dataclass(frozen=True)
class DecodedImage:
    """The finished picture.

    `upcast` says that half precision overflowed and float32 was used, `tiled` that memory ran out
    and the picture was decoded in overlapping tiles, which differ a little in their tones.
    """

    image: Image.Image
    seconds: float
    upcast: bool = False
    tiled: bool = False


@torch.inference_mode()
def decode(vae: AutoencoderKL, latents: torch.Tensor) -> DecodedImage:
    """Decode latents, (1, channels, latent_height, latent_width), to an RGB picture.

    A VAE that overflows in half precision is run again in float32 (and stays in half precision
    afterwards); one that runs out of memory is run again tile by tile. Raises `GenerationError`
    when the latents or the decoded picture are not finite: such a picture would be black.
    """
    if not _all_finite(latents):
        raise GenerationError(
            "The latents are not numbers any more",
            "They overflowed while denoising, so there is no picture to decode.",
            "Lower the guidance scale, try another scheduler, or use --dtype float32.",
        )
    # The question above has waited for the device to finish the loop.
    started = time.perf_counter()
    tiled = False
    try:
        image, upcast = _finite_output(vae, latents)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        tiled = True
    if tiled:
        free_memory()
        with _in_tiles(vae, latents):
            image, upcast = _finite_output(vae, latents)
    return DecodedImage(to_image(image), time.perf_counter() - started, upcast, tiled)


def _finite_output(vae: AutoencoderKL, latents: torch.Tensor) -> tuple[torch.Tensor, bool]:
    """The decoder's picture, and whether it took float32 to be one."""
    image = _decoder_output(vae, latents)
    upcast = False
    if not _all_finite(image) and vae.dtype != torch.float32:
        with in_float32(vae):
            image = _decoder_output(vae, latents.float())
        upcast = True
    if not _all_finite(image):
        raise GenerationError(
            "The VAE's picture is not made of numbers",
            "The decoder overflowed in float32.",
            "The VAE's weights are probably damaged: load the model again or get another copy.",
        )
    return image, upcast


def _decoder_output(vae: AutoencoderKL, latents: torch.Tensor) -> torch.Tensor:
    """(1, 3, height, width), about [-1, 1]."""
    return vae.decode(latents / vae.config.scaling_factor, return_dict=False)[0]


@contextmanager
def in_float32(vae: AutoencoderKL) -> Iterator[None]:
    """The VAE in float32 for a while; half-precision weights come back unchanged."""
    dtype = vae.dtype
    try:
        # Where memory runs out between two weights, those before it come back as well.
        vae.to(torch.float32)
        yield
    finally:
        vae.to(dtype)


@contextmanager
def _in_tiles(vae: AutoencoderKL, latents: torch.Tensor) -> Iterator[None]:
    """The VAE in tiles of at most half the picture's longer side for a while.

    Its own tiles are as large as the pictures that it was trained on, so they would save nothing
    just there. A side that is a multiple of four overlaps its neighbours by whole pixels.
    """
    own_tile = vae.tile_latent_min_size
    half_the_side = max(latents.shape[-2:]) // 2
    tile = min(own_tile, half_the_side + -half_the_side % 4)
    _set_tile(vae, tile)
    vae.enable_tiling()
    try:
        yield
    finally:
        vae.disable_tiling()
        _set_tile(vae, own_tile)


def _set_tile(vae: AutoencoderKL, side: int) -> None:
    vae.tile_latent_min_size = side
    vae.tile_sample_min_size = side * 2 ** (len(vae.config.block_out_channels) - 1)


def _all_finite(tensor: torch.Tensor) -> bool:
    return bool(torch.isfinite(tensor).all())


def to_image(image: torch.Tensor) -> Image.Image:
    """(1, 3, height, width) in [-1, 1], clamped, as 8-bit RGB."""
    pixels = (image[0] / 2 + 0.5).clamp(0, 1).permute(1, 2, 0).cpu().float().numpy()
    return Image.fromarray((pixels * 255).round().astype("uint8"))
