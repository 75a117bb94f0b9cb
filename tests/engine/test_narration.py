"""A job told in events: how many previews there are, with whatever they cost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sdtui.diffusion.components import LoadedComponents, load
from sdtui.diffusion.preview import PreviewDecoder
from sdtui.engine.inbox import JobControl
from sdtui.engine.narration import run_job
from sdtui.params import GenerationParams
from sdtui.protocol.events import PreviewReady

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
