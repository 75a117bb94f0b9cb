"""The loop as a generator: what it yields, and how its caller steers it."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from sdtui.diffusion.denoise import DenoisingStep, denoise
from sdtui.diffusion.guidance import Guidance
from sdtui.diffusion.schedulers import Schedule, make_schedule
from sdtui.errors import GenerationError
from sdtui.params import SCHEDULERS

LATENTS = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(1))
STABLE_DIFFUSION_1_5 = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
    "set_alpha_to_one": False,
}
PICTURE = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(2))


COMBINATIONS = [
    (name, prediction_type)
    for name in SCHEDULERS
    for prediction_type in ("epsilon", "v_prediction", "sample")
    # diffusers has no sample prediction for these two.
    if not (name in ("Euler a", "PNDM") and prediction_type == "sample")
]


class FakeUNet(torch.nn.Module):
    """Predicts a little of what it sees and of what it attends to, and remembers its inputs."""

    config = SimpleNamespace(addition_embed_type=None)

    def __init__(self) -> None:
        super().__init__()
        self.inputs: list[torch.Tensor] = []
        self.timesteps: list[float] = []

    def forward(
        self,
        sample: torch.Tensor,
        timestep: torch.Tensor,
        encoder_hidden_states: torch.Tensor,
        return_dict: bool,
    ) -> tuple[torch.Tensor]:
        self.inputs.append(sample)
        self.timesteps.append(float(timestep))
        return (0.9 * sample + encoder_hidden_states.mean(dim=(1, 2))[:, None, None, None],)


class FakeUNetThatKnowsThePicture(torch.nn.Module):
    """Predicts exactly what has to be taken from its input to find PICTURE there."""

    config = SimpleNamespace(addition_embed_type=None)

    def __init__(self, schedule: Schedule) -> None:
        super().__init__()
        self.schedule = schedule
        self.calls = 0

    def forward(self, sample: torch.Tensor, *_: Any, **__: Any) -> tuple[torch.Tensor]:
        sigma = self.schedule.sigmas[self.calls].double()
        self.calls += 1
        alpha = 1 / (1 + sigma**2).sqrt()
        epsilon = (sample.double() - alpha * PICTURE) / (sigma * alpha)
        prediction = {
            "epsilon": epsilon,
            "v_prediction": alpha * epsilon - sigma * alpha * PICTURE,
            "sample": PICTURE,
        }[self.schedule.prediction_type]
        return (prediction.float(),)


def guidance(guidance_scale: float = 7.5) -> Guidance:
    return Guidance(torch.full((1, 77, 8), 0.1), torch.full((1, 77, 8), -0.1), guidance_scale)


def steps(schedule: Schedule, unet: Any, guidance: Guidance) -> Any:
    latents = LATENTS * schedule.init_noise_sigma
    return denoise(unet, schedule, latents, guidance, torch.Generator().manual_seed(3))


def schedule_of(name: str, num_inference_steps: int, prediction_type: str = "epsilon") -> Schedule:
    config = {**STABLE_DIFFUSION_1_5, "prediction_type": prediction_type}
    return make_schedule(name, config, num_inference_steps)


def test_steps_are_counted_and_carry_their_timestep_and_sigma() -> None:
    schedule = schedule_of("Euler", 5)
    unet = FakeUNet()

    seen = list(steps(schedule, unet, guidance()))

    assert [step.step_index for step in seen] == [0, 1, 2, 3, 4]
    assert {step.count for step in seen} == {5}
    assert [step.timestep for step in seen] == unet.timesteps == schedule.timesteps.tolist()
    assert [step.sigma for step in seen] == schedule.sigmas.tolist()


def test_one_call_of_the_unet_serves_both_halves() -> None:
    unet = FakeUNet()

    step = next(steps(schedule_of("UniPC", 4), unet, guidance(2.0)))

    assert [sample.shape[0] for sample in unet.inputs] == [2]
    expected = step.noise_pred_uncond + 2.0 * (step.noise_pred_text - step.noise_pred_uncond)
    assert torch.equal(step.noise_pred, expected)


@pytest.mark.parametrize("guidance_scale", [0.0, 1.0])
def test_without_guidance_the_unet_sees_the_prompt_alone(guidance_scale: float) -> None:
    unet = FakeUNet()

    step = next(steps(schedule_of("UniPC", 4), unet, guidance(guidance_scale)))

    assert [sample.shape[0] for sample in unet.inputs] == [1]
    assert step.noise_pred_uncond is None
    assert step.statistics.guidance_norm is None
    assert torch.equal(step.noise_pred, step.noise_pred_text)


def test_a_change_of_guidance_counts_from_the_next_step_on() -> None:
    unet = FakeUNet()
    steering = guidance(7.5)
    loop = steps(schedule_of("DDIM", 4), unet, steering)

    seen = [next(loop)]
    steering.guidance_scale = 3.0
    seen.append(next(loop))
    steering.guidance_scale = 1.0
    seen.extend(loop)

    assert [step.guidance_scale for step in seen] == [7.5, 3.0, 1.0, 1.0]
    assert [sample.shape[0] for sample in unet.inputs] == [2, 2, 1, 1]


def test_a_change_of_prompt_counts_from_the_next_step_on() -> None:
    steering = guidance(1.0)
    changed = steps(schedule_of("DDIM", 3), FakeUNet(), steering)
    unchanged = steps(schedule_of("DDIM", 3), FakeUNet(), guidance(1.0))

    assert torch.equal(next(changed).latents, next(unchanged).latents)
    steering.set_embeds(torch.ones((1, 77, 8)), torch.zeros((1, 77, 8)))

    assert not torch.equal(next(changed).latents, next(unchanged).latents)


def test_closing_the_loop_stops_it_between_two_steps() -> None:
    unet = FakeUNet()
    loop = steps(schedule_of("UniPC", 25), unet, guidance())

    next(loop)
    next(loop)
    loop.close()

    assert len(unet.inputs) == 2
    assert list(loop) == []


def test_inference_mode_does_not_leak_to_the_caller() -> None:
    loop = steps(schedule_of("UniPC", 3), FakeUNet(), guidance())

    next(loop)

    assert not torch.is_inference_mode_enabled()


def test_the_statistics_are_those_of_the_tensors() -> None:
    step = next(steps(schedule_of("UniPC", 4), FakeUNet(), guidance()))

    difference = step.noise_pred_text - step.noise_pred_uncond
    assert step.statistics.latents_mean == pytest.approx(step.latents.mean().item())
    assert step.statistics.latents_std == pytest.approx(step.latents.std().item())
    assert step.statistics.guidance_norm == pytest.approx(difference.norm().item())


@pytest.mark.parametrize(("name", "prediction_type"), COMBINATIONS)
def test_every_scheduler_shows_the_picture_that_the_unet_has_in_mind(
    name: str, prediction_type: str
) -> None:
    schedule = schedule_of(name, 7, prediction_type)
    unet = FakeUNetThatKnowsThePicture(schedule)

    seen: list[DenoisingStep] = list(steps(schedule, unet, guidance(1.0)))

    for step in seen:
        torch.testing.assert_close(step.denoised, PICTURE, rtol=0, atol=2e-3)
    torch.testing.assert_close(seen[-1].latents, PICTURE, rtol=0, atol=0.2)


@pytest.mark.parametrize("name", ["DDIM", "LCM"])
def test_a_schedule_that_begins_without_any_signal_shows_a_picture_too(name: str) -> None:
    config = {
        **STABLE_DIFFUSION_1_5,
        "prediction_type": "v_prediction",
        "rescale_betas_zero_snr": True,
        "timestep_spacing": "trailing",
    }
    schedule = make_schedule(name, config, 4)

    step = next(steps(schedule, FakeUNet(), guidance(1.0)))

    assert step.sigma == float("inf")
    torch.testing.assert_close(step.denoised, -step.noise_pred)


@pytest.mark.parametrize(
    ("name", "prediction_type"),
    [pair for pair in COMBINATIONS if pair[0] in ("Euler", "Euler a", "Heun", "DDIM")],
)
def test_the_picture_equals_the_one_that_the_scheduler_itself_estimates(
    name: str, prediction_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = schedule_of(name, 6, prediction_type)
    estimates = []
    scheduler_step = schedule.scheduler.step

    def recording_step(
        model_output: torch.Tensor,
        timestep: torch.Tensor,
        sample: torch.Tensor,
        generator: torch.Generator | None = None,
        return_dict: bool = True,
    ) -> Any:
        arguments = {} if name == "Heun" else {"generator": generator}
        output = scheduler_step(model_output, timestep, sample, **arguments)
        estimates.append(output.pred_original_sample)
        return (output.prev_sample,)

    monkeypatch.setattr(schedule.scheduler, "step", recording_step)

    seen = list(steps(schedule, FakeUNet(), guidance(3.0)))

    for step, estimate in zip(seen, estimates, strict=True):
        torch.testing.assert_close(step.denoised, estimate, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("name", ["UniPC", "DPM++ 2M", "DPM++ 2M Karras", "DPM++ 2S"])
def test_the_picture_equals_the_one_from_which_a_data_predicting_solver_goes_on(
    name: str, prediction_type: str
) -> None:
    schedule = schedule_of(name, 6, prediction_type)

    for step in steps(schedule, FakeUNet(), guidance(3.0)):
        estimate = schedule.scheduler.model_outputs[-1]
        torch.testing.assert_close(step.denoised, estimate, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("dtype", "helps"),
    [(torch.float32, "another copy"), (torch.float16, "load the model in float32")],
)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_one_latent_that_is_no_number_is_an_error_that_names_the_step(
    value: float, dtype: torch.dtype, helps: str
) -> None:
    step = list(steps(schedule_of("Euler", 3), FakeUNet(), guidance()))[1]
    step.check_numbers()
    latents = step.latents.to(dtype).clone()
    latents[0, 0, 0, 0] = value

    with pytest.raises(GenerationError) as caught:
        dataclasses.replace(step, latents=latents).check_numbers()

    assert "at step 2 of 3" in caught.value.message
    assert helps in caught.value.remedy
