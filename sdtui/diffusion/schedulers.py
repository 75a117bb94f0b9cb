"""The samplers under the names that users know, and the schedulers of diffusers beneath them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import (
    DDIMScheduler,
    DEISMultistepScheduler,
    DPMSolverMultistepScheduler,
    DPMSolverSinglestepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    LCMScheduler,
    LMSDiscreteScheduler,
    PNDMScheduler,
    UniPCMultistepScheduler,
)

from sdtui.errors import ModelError
from sdtui.params import SCHEDULERS

_FOR_ALL = {
    # A name says how its noise levels are spaced, whatever the model's own scheduler does.
    "use_karras_sigmas": False,
    "use_exponential_sigmas": False,
    "use_beta_sigmas": False,
    "use_lu_lambdas": False,
    "use_flow_sigmas": False,
    # As diffusers' pipeline has it whatever a model's configuration says: Stable Diffusion's
    # timesteps are counted from 1, and latents are not confined to the [-1, 1] of pixels.
    "steps_offset": 1,
    "clip_sample": False,
}

_SCHEDULERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "UniPC": (UniPCMultistepScheduler, {}),
    "DPM++ 2M": (
        DPMSolverMultistepScheduler,
        {"algorithm_type": "dpmsolver++", "solver_order": 2},
    ),
    "DPM++ 2M Karras": (
        DPMSolverMultistepScheduler,
        {"algorithm_type": "dpmsolver++", "solver_order": 2, "use_karras_sigmas": True},
    ),
    "DPM++ 2S": (
        DPMSolverSinglestepScheduler,
        # An odd number of second-order steps needs a first-order one at its end.
        {"algorithm_type": "dpmsolver++", "solver_order": 2, "lower_order_final": True},
    ),
    "Euler": (EulerDiscreteScheduler, {}),
    "Euler a": (EulerAncestralDiscreteScheduler, {}),
    "Heun": (HeunDiscreteScheduler, {}),
    "DDIM": (DDIMScheduler, {}),
    # Stable Diffusion was published with the linear multistep half of PNDM alone.
    "PNDM": (PNDMScheduler, {"skip_prk_steps": True}),
    "LMS": (LMSDiscreteScheduler, {}),
    "DEIS": (DEISMultistepScheduler, {"algorithm_type": "deis"}),
    "LCM": (LCMScheduler, {}),
}
assert tuple(_SCHEDULERS) == SCHEDULERS

_LEAST_SIGNAL = 2**-24
"""What diffusers' schedulers leave of the signal where a model was trained on none: sigma 4096."""
_LEAST_SIGNAL_FOR_HEUN = 2**-16
"""Sigma 256. Heun subtracts latents that are as large as sigma, and half precision keeps too little
of those at 4096."""

PREDICTION_TYPES = ("epsilon", "v_prediction", "sample")
_WITHOUT_SAMPLE_PREDICTION = ("Euler a", "PNDM")


@dataclass(frozen=True)
class Schedule:
    """A scheduler set to its timesteps: one entry a call of the U-Net.

    There may be more entries than `num_inference_steps` (Heun and PNDM call the U-Net more often).
    `timesteps` stay on the CPU, where the scheduler looks up its coefficients; UniPC alone copies
    some of these to the device in every step, and waits for it. `sigmas` are noise over signal,
    sqrt(1 - alphas_cumprod) / sqrt(alphas_cumprod), of the latents that the U-Net is shown at each
    entry.
    """

    name: str
    scheduler: Any
    timesteps: torch.Tensor
    sigmas: torch.Tensor

    @property
    def prediction_type(self) -> str:
        """What the U-Net predicts: epsilon, v_prediction or sample."""
        return self.scheduler.config.prediction_type

    @property
    def init_noise_sigma(self) -> float:
        """The standard deviation of the noise from which this schedule starts."""
        return float(self.scheduler.init_noise_sigma)

    def model_timesteps(self, device: torch.device) -> torch.Tensor:
        """The timesteps for the U-Net, (steps,), which embeds them in float32 itself.

        Some schedulers keep them in float64, which MPS does not know.
        """
        timesteps = self.timesteps
        return (timesteps.float() if timesteps.is_floating_point() else timesteps).to(device)

    def __len__(self) -> int:
        return len(self.timesteps)


def make_scheduler(name: str, config: Mapping[str, Any]) -> Any:
    """The diffusers scheduler behind a user's name, built from the model's scheduler config.

    A model that was trained down to pure noise (Lin et al., 2023, arXiv:2305.08891) asks for
    rescaled betas, and a scheduler that cannot rescale them is given the result.
    """
    scheduler_class, overrides = _SCHEDULERS[name]
    options = {**_FOR_ALL, **overrides}
    rescales = "rescale_betas_zero_snr" in inspect.signature(scheduler_class).parameters
    if config.get("rescale_betas_zero_snr") and not rescales:
        options["trained_betas"] = _rescaled_betas(
            config, _LEAST_SIGNAL_FOR_HEUN if name == "Heun" else _LEAST_SIGNAL
        )
    return scheduler_class.from_config(config, **options)


def _rescaled_betas(config: Mapping[str, Any], least_signal: float) -> list[float]:
    """The betas of a schedule that ends without a signal, but for as much as keeps sigma finite."""
    alphas_cumprod = DDIMScheduler.from_config(config).alphas_cumprod.clamp(min=least_signal)
    betas = 1 - alphas_cumprod[1:] / alphas_cumprod[:-1]
    return [1 - alphas_cumprod[0].item(), *betas.tolist()]


def make_schedule(name: str, config: Mapping[str, Any], num_inference_steps: int) -> Schedule:
    """Build the scheduler and choose its timesteps.

    It begins at the first of these also where the second is equal to it (many steps over few noise
    levels), whereas in diffusers' pipeline it begins at the second and ends beyond its table.
    Raises `ModelError` when the model's noise schedule does not suit the scheduler.
    """
    try:
        scheduler = make_scheduler(name, config)
        _check_prediction_type(name, scheduler.config.prediction_type)
        scheduler.set_timesteps(num_inference_steps)
    except (ValueError, NotImplementedError) as error:
        raise ModelError(
            f"{name} does not run on this model",
            str(error),
            "Choose another scheduler, for example UniPC.",
        ) from error
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)
    timesteps = scheduler.timesteps
    return Schedule(name, scheduler, timesteps, _sigmas(scheduler, timesteps))


def _check_prediction_type(name: str, prediction_type: str) -> None:
    """Raise ValueError for what the scheduler would refuse, or misread, in its first step."""
    unknown = prediction_type not in PREDICTION_TYPES
    if unknown or (prediction_type == "sample" and name in _WITHOUT_SAMPLE_PREDICTION):
        raise ValueError(f"Its U-Net predicts {prediction_type}, which {name} does not take.")


def _sigmas(scheduler: Any, timesteps: torch.Tensor) -> torch.Tensor:
    """Noise over signal at each timestep, (steps,): the scheduler's own table if it has one."""
    if hasattr(scheduler, "sigmas"):
        return scheduler.sigmas[: len(timesteps)].to("cpu", torch.float32)
    alphas_cumprod = scheduler.alphas_cumprod[timesteps.long()]
    return ((1 - alphas_cumprod) / alphas_cumprod).sqrt().to("cpu", torch.float32)
