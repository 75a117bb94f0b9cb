"""The names that users know, built from a model's own noise schedule."""

from __future__ import annotations

from typing import Any

import pytest

from sdtui.diffusion.components import LoadedComponents
from sdtui.diffusion.schedulers import make_schedule, make_scheduler
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


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_name_means_the_same_whatever_the_models_own_scheduler_is(name: str) -> None:
    own = {
        **STABLE_DIFFUSION_1_5,
        "_class_name": "DPMSolverMultistepScheduler",
        "algorithm_type": "sde-dpmsolver++",
        "use_karras_sigmas": True,
    }

    plain = make_schedule(name, STABLE_DIFFUSION_1_5, 10)
    assert make_schedule(name, own, 10).sigmas.tolist() == plain.sigmas.tolist()


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
