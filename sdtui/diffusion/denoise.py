"""The denoising loop: a generator that its caller paces, previews from, steers and stops."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from diffusers import UNet2DConditionModel

from sdtui.diffusion.devices import dtype_name
from sdtui.diffusion.guidance import Guidance, guide
from sdtui.diffusion.schedulers import Schedule
from sdtui.diffusion.text_layers import TextComputedOnce
from sdtui.errors import GenerationError


@dataclass(frozen=True, kw_only=True)
class DenoisingStep:
    """One turn of the loop, `step_index` of `count`.

    `latents` are x after the turn, `latent_model_input` what the U-Net was shown before it, and
    `noise_pred_uncond` is None when nothing guided. All tensors are
    (1, channels, latent_height, latent_width) on the model's device; nothing is computed or
    fetched from there until it is asked for.
    """

    step_index: int
    count: int
    timestep: float
    sigma: float
    latents: torch.Tensor
    latent_model_input: torch.Tensor
    noise_pred: torch.Tensor
    noise_pred_text: torch.Tensor
    noise_pred_uncond: torch.Tensor | None
    guidance_scale: float
    prediction_type: str

    @cached_property
    def denoised(self) -> torch.Tensor:
        """The picture as the U-Net guesses it at this step, x0, in float32.

        Every scheduler shows the U-Net variance-preserving latents, x = a x0 + s e with
        a^2 + s^2 = 1 and s / a = `sigma` (Karras et al., 2022, arXiv:2206.00364, table 1), so one
        formula serves them all. With v = a e - s x0 (Salimans and Ho, 2022, arXiv:2202.00512),
        x0 = a x - s v. At the pure noise of a schedule without a signal at its end, `sigma` is
        infinite, a is 0 and s is 1.
        """
        x = self.latent_model_input.float()
        prediction = self.noise_pred.float()
        alpha, sigma = math.cos(math.atan(self.sigma)), math.sin(math.atan(self.sigma))
        if self.prediction_type == "epsilon":
            return (x - sigma * prediction) / alpha
        if self.prediction_type == "v_prediction":
            return alpha * x - sigma * prediction
        return prediction

    @cached_property
    def statistics(self) -> StepStatistics:
        """The step's figures, fetched from the device in one transfer."""
        latents = self.latents.float()
        figures = [latents.mean(), latents.std()]
        if self.noise_pred_uncond is not None:
            figures.append((self.noise_pred_text - self.noise_pred_uncond).float().norm())
        mean, std, *guidance_norm = torch.stack(figures).tolist()
        return StepStatistics(mean, std, guidance_norm[0] if guidance_norm else None)

    def check_numbers(self) -> None:
        """Raise `GenerationError` when the latents are not finite any more.

        One such number spreads to all of them, and the picture would be black. The statistics
        tell it without another question to the device.
        """
        figures = self.statistics
        if math.isfinite(figures.latents_mean) and math.isfinite(figures.latents_std):
            return
        dtype = dtype_name(self.latents.dtype)
        remedy = "Lower the guidance scale or try another scheduler"
        if self.latents.dtype != torch.float32:
            remedy += ", or load the model in float32 (--dtype float32)"
        else:
            remedy += "; if that does not help, its weights are damaged: get another copy"
        raise GenerationError(
            "The latents are not numbers any more",
            f"They overflowed in {dtype} at step {self.step_index + 1} of {self.count}.",
            f"{remedy}.",
        )


@dataclass(frozen=True)
class StepStatistics:
    """Mean and standard deviation of the latents, and how far apart the two predictions are.

    `guidance_norm` is the Euclidean norm of noise_pred_text - noise_pred_uncond, None when
    nothing guided.
    """

    latents_mean: float
    latents_std: float
    guidance_norm: float | None


@torch.inference_mode()
def denoise(
    unet: UNet2DConditionModel,
    schedule: Schedule,
    latents: torch.Tensor,
    guidance: Guidance,
    generator: torch.Generator,
) -> Iterator[DenoisingStep]:
    """Turn noise into latents of a picture, yielding after every call of the U-Net.

    `latents` is (1, channels, latent_height, latent_width), already times `init_noise_sigma`.
    Closing the generator stops the loop between two steps; a change of `guidance` counts from the
    next step on. In float32 on the CPU the latents equal those of diffusers'
    `StableDiffusionPipeline` bit for bit.
    """
    scheduler = schedule.scheduler
    draws_noise = "generator" in inspect.signature(scheduler.step).parameters
    step_arguments = {"generator": generator} if draws_noise else {}
    model_timesteps = schedule.model_timesteps(latents.device)
    sigmas = schedule.sigmas.tolist()
    text_computed_once = TextComputedOnce(unet)

    for step_index, timestep in enumerate(schedule.timesteps):
        latent_model_input = scheduler.scale_model_input(latents, timestep)
        # One call for both halves: two calls of one would give other bits, and take longer.
        expanded = torch.cat([latent_model_input] * 2) if guidance.active else latent_model_input
        # Left before the step is yielded: until the next one, the U-Net is its own again.
        with text_computed_once:
            noise_pred = unet(
                expanded,
                model_timesteps[step_index],
                encoder_hidden_states=guidance.encoder_hidden_states,
                return_dict=False,
            )[0]

        noise_pred_uncond, noise_pred_text = None, noise_pred
        if guidance.active:
            noise_pred_uncond, noise_pred_text = noise_pred.chunk(2)
            noise_pred = guide(noise_pred_uncond, noise_pred_text, guidance.guidance_scale)

        latents = scheduler.step(
            noise_pred, timestep, latents, return_dict=False, **step_arguments
        )[0]
        yield DenoisingStep(
            step_index=step_index,
            count=len(schedule),
            timestep=float(timestep),
            sigma=sigmas[step_index],
            latents=latents,
            latent_model_input=latent_model_input,
            noise_pred=noise_pred,
            noise_pred_text=noise_pred_text,
            noise_pred_uncond=noise_pred_uncond,
            guidance_scale=guidance.guidance_scale,
            prediction_type=schedule.prediction_type,
        )
