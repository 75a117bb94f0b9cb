"""The x0 estimate as a small picture, cheaply enough to make at every step."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter

import torch
from diffusers import AutoencoderKL

from sdtui.diffusion.decode import in_float32
from sdtui.diffusion.memory import free_memory, is_out_of_memory

PREVIEW_SHARE = 0.02
"""The share of the steps' time that previews may take, x_t beside x0 included."""
_LONGEST_SIDE = 256
_FIT_PICTURES = 8
_FIT_SIDE = 64

_SD_1_FACTORS = (
    (0.3512, 0.2297, 0.3227),
    (0.3250, 0.4974, 0.2350),
    (-0.2829, 0.1762, 0.2721),
    (-0.2120, -0.2616, -0.7177),
)
"""Latent channels to R, G, B for the VAE of Stable Diffusion 1.x, as ComfyUI uses them."""


@dataclass(frozen=True)
class PreviewFrame:
    """RGB8, row by row, `width * height * 3` bytes. `method` is "linear" or "vae"."""

    width: int
    height: int
    rgb: bytes
    method: str


class PreviewDecoder:
    """Makes frames of x0 estimates for one VAE, and knows how often they fit `PREVIEW_SHARE`.

    The linear map from latents to colours costs next to nothing once it is there; the first
    preview makes it, so that nobody waits for it who sees none. Where steps are so short that it
    counts all the same, previews are rarer. The VAE itself draws them when it fits the share, which
    is known once it has decoded a picture (`vae_decoded`), and never again for latents as large as
    those for which it found no memory.
    """

    def __init__(self, vae: AutoencoderKL, clock: Callable[[], float] = perf_counter) -> None:
        self._vae = vae
        self._clock = clock
        self._vae_seconds_per_latent = math.inf
        self._too_many_latents = math.inf
        self._linear_seconds: dict[int, float] = {}

    @cached_property
    def _linear_map(self) -> tuple[torch.Tensor, torch.Tensor]:
        return latent_to_rgb(self._vae)

    def vae_decoded(self, latents: torch.Tensor, seconds: float) -> None:
        """Learn from a real decoding what the VAE costs. The fastest one counts."""
        seconds_per_latent = seconds / latents[0, 0].numel()
        self._vae_seconds_per_latent = min(self._vae_seconds_per_latent, seconds_per_latent)

    def method(
        self,
        denoised: torch.Tensor,
        step_seconds: float,
        preview_every: int,
        *,
        with_latents: bool = False,
    ) -> str:
        """Choose "vae" if it fits the share of `preview_every` steps, else "linear".

        `with_latents` says that x_t is drawn too, for which there must be time left.
        """
        count = denoised[0, 0].numel()
        if count >= self._too_many_latents:
            return "linear"
        seconds = self._vae_seconds_per_latent * count
        if with_latents:
            seconds += self._seconds_in_colours(denoised)
        return "vae" if seconds <= PREVIEW_SHARE * step_seconds * preview_every else "linear"

    def every(
        self,
        denoised: torch.Tensor,
        step_seconds: float,
        preview_every: int,
        *,
        with_latents: bool = False,
    ) -> int:
        """At every how many steps a preview fits the share: `preview_every`, or times that."""
        share = PREVIEW_SHARE * step_seconds * preview_every
        how = self.method(denoised, step_seconds, preview_every, with_latents=with_latents)
        if how == "vae" or not share:
            return preview_every
        seconds = self._seconds_in_colours(denoised) * (2 if with_latents else 1)
        return preview_every * max(1, math.ceil(seconds / share))

    @torch.inference_mode()
    def decode(
        self,
        denoised: torch.Tensor,
        step_seconds: float = 0.0,
        preview_every: int = 1,
        *,
        with_latents: bool = False,
    ) -> PreviewFrame:
        """Draw an x0 estimate, (1, channels, latent_height, latent_width).

        `step_seconds` is what a step took without its preview, 0.0 while it is unknown.
        """
        how = self.method(denoised, step_seconds, preview_every, with_latents=with_latents)
        frame = self._by_the_vae(denoised) if how == "vae" else None
        return frame or self.in_colours(denoised)

    def _by_the_vae(self, denoised: torch.Tensor) -> PreviewFrame | None:
        """The frame, or None where there is no memory to decode it in one piece."""
        try:
            latents = denoised.to(self._vae.dtype) / self._vae.config.scaling_factor
            rgb = _shrink(self._vae.decode(latents, return_dict=False)[0].float())
            return _frame(rgb, "vae")
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        self._too_many_latents = min(self._too_many_latents, denoised[0, 0].numel())
        free_memory()
        return None

    @torch.inference_mode()
    def in_colours(self, latents: torch.Tensor) -> PreviewFrame:
        """Draw latents as the U-Net sees them, (1, channels, latent_height, latent_width).

        Each becomes one pixel by the linear map: x0 a small picture, x_t as much noise as it is.
        """
        factors, bias = self._linear_map
        started = self._clock()
        rgb = torch.einsum("bchw,cr->brhw", latents.float(), factors) + bias[:, None, None]
        frame = _frame(rgb, "linear")
        seconds, count = self._clock() - started, latents[0, 0].numel()
        known = self._linear_seconds.get(count)
        # The first one of a size also warms up what draws it; of the others, the fastest counts.
        self._linear_seconds[count] = math.inf if known is None else min(known, seconds)
        return frame

    def _seconds_in_colours(self, latents: torch.Tensor) -> float:
        """What the linear map takes for latents of this size, nothing while that is unknown."""
        seconds = self._linear_seconds.get(latents[0, 0].numel(), math.inf)
        return 0.0 if seconds == math.inf else seconds


def _frame(rgb: torch.Tensor, method: str) -> PreviewFrame:
    """The first of (batch, 3, height, width) in [-1, 1]."""
    pixels = rgb[0].nan_to_num().div(2).add(0.5).clamp(0, 1).mul(255).round().to(torch.uint8)
    rows = pixels.permute(1, 2, 0).contiguous().cpu().numpy()
    return PreviewFrame(rows.shape[1], rows.shape[0], rows.tobytes(), method)


def _shrink(rgb: torch.Tensor) -> torch.Tensor:
    """A picture no longer than a terminal can show, averaged down by a whole factor."""
    factor = -(-max(rgb.shape[-2:]) // _LONGEST_SIDE)
    return torch.nn.functional.avg_pool2d(rgb, factor) if factor > 1 else rgb


def latent_to_rgb(vae: AutoencoderKL) -> tuple[torch.Tensor, torch.Tensor]:
    """The linear map from latents as the U-Net sees them to RGB in [-1, 1].

    Returns factors, (latent_channels, 3), and bias, (3,), float32 on the VAE's device: the
    published ones for the VAE of Stable Diffusion 1.x, otherwise fitted to this VAE, on the CPU
    where another device, its own one, has no memory left for that.
    """
    if is_sd_1_vae(vae):
        return (
            torch.tensor(_SD_1_FACTORS, device=vae.device),
            torch.zeros(3, device=vae.device),
        )
    try:
        return fit_latent_to_rgb(vae)
    except Exception as error:
        if vae.device.type == "cpu" or not is_out_of_memory(error):
            raise
    free_memory()
    twin = AutoencoderKL.from_config(vae.config)
    twin.load_state_dict(vae.state_dict())
    factors, bias = fit_latent_to_rgb(twin)
    return factors.to(vae.device), bias.to(vae.device)


def is_sd_1_vae(vae: AutoencoderKL) -> bool:
    """Whether the configuration is that of Stable Diffusion 1.x (and its finetuned VAEs)."""
    config = vae.config
    return (
        config.latent_channels == 4
        and abs(config.scaling_factor - 0.18215) < 1e-6
        and tuple(config.block_out_channels) == (128, 256, 512, 512)
    )


@torch.inference_mode()
def fit_latent_to_rgb(vae: AutoencoderKL) -> tuple[torch.Tensor, torch.Tensor]:
    """Least squares between this VAE's latents and its own decoded colours.

    The latents are those of plain colours side by side, with the hard edges that pictures have;
    each is compared with the mean colour of the pixels that it becomes. It runs in float32, as some
    VAEs overflow in half precision; what a damaged one gives is left to `decode` to tell.
    """
    generator = torch.Generator("cpu").manual_seed(0)
    plain = torch.rand((_FIT_PICTURES, 3, 2, 2), generator=generator) * 2.4 - 1.2
    fields = torch.nn.functional.interpolate(plain, size=_FIT_SIDE, mode="nearest")
    pictures = fields.clamp(-1, 1).to(vae.device)

    with in_float32(vae):
        latents = vae.encode(pictures).latent_dist.mean
        decoded = vae.decode(latents, return_dict=False)[0]
    colours = torch.nn.functional.adaptive_avg_pool2d(decoded, latents.shape[-2:])

    channels = latents.shape[1]
    inputs = (latents * vae.config.scaling_factor).permute(0, 2, 3, 1)
    inputs = inputs.reshape(-1, channels).cpu().nan_to_num(0, 0, 0)
    targets = colours.permute(0, 2, 3, 1).reshape(-1, 3).cpu().nan_to_num()
    with_bias = torch.cat([inputs, torch.ones(len(inputs), 1)], dim=1)
    solution = torch.linalg.lstsq(with_bias, targets.clamp(-1, 1)).solution.to(vae.device)
    return solution[:channels], solution[channels]
