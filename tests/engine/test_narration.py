"""A job told in events: how many previews there are, with whatever they cost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from sdtui.diffusion.components import LoadedComponents, load
from sdtui.diffusion.preview import PreviewDecoder, PreviewFrame
from sdtui.engine.inbox import JobControl
from sdtui.engine.narration import run_job
from sdtui.params import GenerationParams
from sdtui.protocol.events import (
    DenoisingStarted,
    GuidanceAdjusted,
    ImageDecoded,
    JobEvent,
    PreviewReady,
    PromptEncoded,
    PromptTokenized,
    StepCompleted,
)

STEPS = 8


@pytest.fixture(scope="module")
def components() -> LoadedComponents:
    """The bundled model."""
    return load("pocket", device="cpu", dtype="float32")


def ticking(seconds: float) -> Callable[[], float]:
    """A clock that is so much later at every look."""
    now = 0.0

    def look() -> float:
        nonlocal now
        now += seconds
        return now

    return look


def previews_of(previews: PreviewDecoder, components: LoadedComponents) -> list[PreviewReady]:
    """Those of a job for which there is always a credit, with x_t."""
    params = GenerationParams(
        prompt="a red apple", num_inference_steps=STEPS, width=64, height=64, seed=1
    )
    control = JobControl()
    made = []
    control.credit.grant(latents=True)
    for event in run_job(components, params, "job", control, previews):
        control.credit.grant(latents=True)
        if isinstance(event, PreviewReady):
            assert event.latents is not None
            made.append(event)
    return made


def test_previews_that_take_next_to_nothing_come_at_every_step(
    components: LoadedComponents,
) -> None:
    previews = PreviewDecoder(components.vae, ticking(0.0))
    made = previews_of(previews, components)
    assert [preview.step_index for preview in made] == list(range(STEPS))


def test_previews_that_take_too_long_are_rarer_but_the_last_one_comes(
    components: LoadedComponents,
) -> None:
    previews = PreviewDecoder(components.vae, ticking(1000.0))
    # From the first step's, x0 and x_t, it is known what they take.
    made = previews_of(previews, components)
    assert [preview.step_index for preview in made] == [0, STEPS - 1]


class NarrowPreviews(PreviewDecoder):
    """Finds no memory for x_t, the first time."""

    is_narrow = True

    def in_colours(self, latents: torch.Tensor) -> PreviewFrame:
        """The frame, or what there is instead."""
        if self.is_narrow:
            self.is_narrow = False
            torch.empty(1 << 46)
        return super().in_colours(latents)


def test_a_preview_that_finds_no_memory_is_left_out_and_its_credit_serves_the_next_one(
    components: LoadedComponents,
) -> None:
    params = GenerationParams(prompt="a red apple", num_inference_steps=4, width=64, height=64)
    control = JobControl()
    control.credit.grant(latents=True)
    previews = NarrowPreviews(components.vae, ticking(0.0))
    told = list(run_job(components, params, "job", control, previews))
    made = [event for event in told if isinstance(event, PreviewReady)]
    assert [(event.step_index, event.latents is not None) for event in made] == [
        (1, True),
        (3, False),
    ]
    assert isinstance(told[-1], ImageDecoded)


def told_with_guidance_changed(
    components: LoadedComponents, before: type[JobEvent], scales: tuple[float, float]
) -> list[JobEvent]:
    """A short job's events; the guidance goes from one scale to the other when `before` is told."""
    params = GenerationParams(
        prompt="a red apple", num_inference_steps=2, width=64, height=64, guidance_scale=scales[0]
    )
    control = JobControl()
    told = []
    for event in run_job(components, params, "job", control):
        told.append(event)
        if isinstance(event, before):
            control.guidance_scale = scales[1]
    return told


@pytest.mark.parametrize("scales", [(7.5, 1.0), (1.0, 7.5)], ids=["off", "on"])
@pytest.mark.parametrize("before", [PromptTokenized, PromptEncoded])
def test_guidance_that_changes_before_the_first_step_is_what_the_start_tells_of(
    components: LoadedComponents, before: type[JobEvent], scales: tuple[float, float]
) -> None:
    told = told_with_guidance_changed(components, before, scales)

    scale = scales[1]
    halves = {PromptTokenized: 2 if scale > 1 else 1, PromptEncoded: 2 if scales[0] > 1 else 1}
    for event in told:
        match event:
            case PromptEncoded():
                assert event.guided_shape[0] == halves[before]
            case DenoisingStarted() | StepCompleted():
                assert event.guidance_scale == scale
    (adjusted,) = [event for event in told if isinstance(event, GuidanceAdjusted)]
    assert (adjusted.step_index, adjusted.guidance_scale) == (0, scale)
