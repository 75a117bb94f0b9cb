"""The names that users know, built from a model's own noise schedule."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler

from sdtui.diffusion.components import LoadedComponents
from sdtui.diffusion.schedulers import Schedule, make_schedule, make_scheduler
from sdtui.errors import ModelError
from sdtui.params import SCHEDULERS

STABLE_DIFFUSION_1_5: dict[str, Any] = {
    "_class_name": "PNDMScheduler",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "trained_betas": None,
    "clip_sample": False,
}
DOWN_TO_PURE_NOISE: dict[str, Any] = {
    **STABLE_DIFFUSION_1_5,
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,
    "timestep_spacing": "trailing",
}
PICTURE = 0.5
"""All that the fake U-Net of `end_of` knows."""


def end_of(schedule: Schedule, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """The latents after all steps with a U-Net that sees `PICTURE` in whatever it is shown."""
    generator = torch.Generator().manual_seed(1)
    scheduler = schedule.scheduler
    noise = torch.randn((1, 4, 8, 8), generator=generator).to(dtype)
    latents = noise * scheduler.init_noise_sigma
    for timestep, level in zip(schedule.timesteps, schedule.sigmas.tolist(), strict=True):
        x = scheduler.scale_model_input(latents, timestep).double()
        alpha, sigma = math.cos(math.atan(level)), math.sin(math.atan(level))
        velocity = alpha * (x - alpha * PICTURE) / sigma - sigma * PICTURE
        latents = scheduler.step(velocity.to(dtype), timestep, latents, return_dict=False)[0]
    return latents


@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_name_keeps_the_models_noise_schedule(name: str) -> None:
    scheduler = make_scheduler(name, STABLE_DIFFUSION_1_5)

    assert scheduler.config.beta_start == 0.00085
    assert scheduler.config.beta_end == 0.012
    assert scheduler.config.beta_schedule == "scaled_linear"
    assert scheduler.config.prediction_type == "epsilon"


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("num_inference_steps", [1, 2, 25, 50])
def test_noise_falls_from_the_first_call_to_the_last(name: str, num_inference_steps: int) -> None:
    schedule = make_schedule(name, STABLE_DIFFUSION_1_5, num_inference_steps)

    assert len(schedule) == len(schedule.sigmas) >= num_inference_steps
    sigmas = schedule.sigmas.tolist()
    assert all(sigma > 0 for sigma in sigmas)
    assert sigmas == sorted(sigmas, reverse=True)


@pytest.mark.parametrize("spacing", ["use_karras_sigmas", "use_lu_lambdas", "use_flow_sigmas"])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_name_means_the_same_whatever_the_models_own_scheduler_is(
    name: str, spacing: str
) -> None:
    own = {
        **STABLE_DIFFUSION_1_5,
        "_class_name": "DPMSolverMultistepScheduler",
        "algorithm_type": "sde-dpmsolver++",
        spacing: True,
    }

    plain = make_schedule(name, STABLE_DIFFUSION_1_5, 10)
    assert make_schedule(name, own, 10).sigmas.tolist() == plain.sigmas.tolist()


@pytest.mark.parametrize("name", [name for name in SCHEDULERS if name != "DPM++ 2M Karras"])
def test_a_model_that_knows_pure_noise_is_run_on_the_noise_levels_of_its_training(
    name: str,
) -> None:
    trained = DDIMScheduler.from_config(DOWN_TO_PURE_NOISE).alphas_cumprod

    schedule = make_schedule(name, DOWN_TO_PURE_NOISE, 20)

    assert schedule.timesteps[0] == 999
    assert schedule.sigmas[0] > 250
    for timestep, sigma in zip(schedule.timesteps.tolist(), schedule.sigmas.tolist(), strict=True):
        if timestep < 980 and timestep == int(timestep):
            signal = trained[int(timestep)]
            assert sigma == pytest.approx(((1 - signal) / signal).sqrt().item(), rel=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=["float32", "float16"])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_name_finds_its_way_from_pure_noise_to_the_picture(
    name: str, dtype: torch.dtype
) -> None:
    latents = end_of(make_schedule(name, DOWN_TO_PURE_NOISE, 30), dtype)

    # PNDM extrapolates over its first steps, whatever it starts from.
    tolerance = 0.06 if name == "PNDM" else 0.02
    assert latents.mean().item() == pytest.approx(PICTURE, abs=tolerance)
    assert latents.std().item() < 0.05


def test_noise_levels_that_share_the_first_timestep_are_taken_from_the_first_on() -> None:
    schedule = make_schedule("DPM++ 2M Karras", DOWN_TO_PURE_NOISE, 50)
    assert schedule.timesteps[0] == schedule.timesteps[1]

    end_of(schedule)

    assert schedule.scheduler.step_index == len(schedule) == 50


def test_heun_asks_the_model_twice_a_step_but_for_the_last() -> None:
    assert len(make_schedule("Heun", STABLE_DIFFUSION_1_5, 25)) == 49


def test_karras_spaces_the_same_noise_levels_in_another_way() -> None:
    plain = make_schedule("DPM++ 2M", STABLE_DIFFUSION_1_5, 10)
    karras = make_schedule("DPM++ 2M Karras", STABLE_DIFFUSION_1_5, 10)

    assert karras.sigmas[0] == pytest.approx(plain.sigmas[0].item(), rel=0.01)
    assert karras.sigmas[5] < plain.sigmas[5]


def test_the_model_tells_what_the_unet_predicts(components: LoadedComponents) -> None:
    config = {**components.scheduler_config, "prediction_type": "v_prediction"}

    assert make_schedule("Euler", config, 5).prediction_type == "v_prediction"


def test_more_steps_than_the_scheduler_can_place_are_refused_with_its_reason() -> None:
    with pytest.raises(ModelError) as caught:
        make_schedule("LCM", STABLE_DIFFUSION_1_5, 51)

    assert caught.value.title == "LCM does not run on this model"
    assert "51" in caught.value.message


@pytest.mark.parametrize(
    ("name", "prediction_type"),
    [("PNDM", "sample"), ("Euler a", "sample"), ("UniPC", "flow_prediction")],
)
def test_a_prediction_that_the_scheduler_does_not_take_is_refused(
    name: str, prediction_type: str
) -> None:
    config = {**STABLE_DIFFUSION_1_5, "prediction_type": prediction_type}

    with pytest.raises(ModelError, match=f"predicts {prediction_type}"):
        make_schedule(name, config, 5)


def test_an_unknown_noise_schedule_is_refused() -> None:
    with pytest.raises(ModelError, match="does not run on this model"):
        make_schedule("Euler", {**STABLE_DIFFUSION_1_5, "beta_schedule": "home-made"}, 5)


@pytest.mark.parametrize(
    ("name", "class_name"),
    [
        ("UniPC", "UniPCMultistepScheduler"),
        ("DPM++ 2M", "DPMSolverMultistepScheduler"),
        ("DPM++ 2M Karras", "DPMSolverMultistepScheduler"),
        ("DPM++ 2S", "DPMSolverSinglestepScheduler"),
        ("Euler", "EulerDiscreteScheduler"),
        ("Euler a", "EulerAncestralDiscreteScheduler"),
        ("Heun", "HeunDiscreteScheduler"),
        ("DDIM", "DDIMScheduler"),
        ("PNDM", "PNDMScheduler"),
        ("LMS", "LMSDiscreteScheduler"),
        ("DEIS", "DEISMultistepScheduler"),
        ("LCM", "LCMScheduler"),
    ],
)
def test_each_name_means_the_class_that_users_know_by_it(name: str, class_name: str) -> None:
    assert type(make_scheduler(name, {})).__name__ == class_name
