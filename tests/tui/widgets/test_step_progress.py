"""One line of progress: honest figures, words for every state, nothing that moves."""

from __future__ import annotations

import pytest
from textual.app import App

from sdtui.params import GenerationParams
from sdtui.protocol.events import (
    ComponentLoading,
    DenoisingStarted,
    DownloadProgressed,
    EngineStatus,
    Event,
    ImageDecoded,
    JobCancelled,
    JobFailed,
    JobInterrupted,
    JobParked,
    JobQueued,
    JobSaved,
    SavingDelayed,
    StepCompleted,
)
from sdtui.tui.widgets.step_progress import StepProgress

Stage = type[App[None]]
PARAMS = GenerationParams(prompt="a red apple")


def status(**changes: object) -> EngineStatus:
    return EngineStatus(state="idle", version="0", pid=1, **changes)  # type: ignore[arg-type]


def begun(count: int = 25) -> DenoisingStarted:
    return DenoisingStarted(
        job_id="j",
        scheduler="UniPC",
        prediction_type="epsilon",
        guidance_scale=7.5,
        timesteps=[0.0] * count,
        sigmas=[1.0] * count,
    )


def step(index: int, count: int = 25, seconds: float = 0.05) -> StepCompleted:
    return StepCompleted(
        job_id="j",
        step_index=index,
        count=count,
        timestep=500.0,
        sigma=14.6 / (index + 1),
        latents_mean=0.0,
        latents_std=1.0,
        guidance_scale=7.5,
        guidance_norm=3.0 + index,
        seconds=seconds,
    )


def line(progress: StepProgress) -> str:
    return progress.render().plain


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (JobQueued(job_id="j", request_id="r", params=PARAMS, position=2), "queue: 2 before"),
        (DownloadProgressed(model="m", file="unet/x", received=5, total=20), "downloading x  25%"),
        (ComponentLoading(model="m", component="unet", index=3, count=5), "loading unet 4/5 …"),
        (ImageDecoded(job_id="j", width=1, height=1, rgb=b"abc", seconds=1.0), "saving"),
        (JobSaved(job_id="j", path="/x", size=1, seconds=2.1), "done in 2.1 s"),
        (JobCancelled(job_id="j", completed=12, count=25), "stopped at 12/25"),
        (SavingDelayed(job_id="j", title="no room"), "waiting for room"),
        (JobInterrupted(job_id="j", title="again"), "beginning again"),
        (JobFailed(job_id="j", title="broken"), "failed"),
        (JobParked(job_id="j", title="twice"), "parked"),
    ],
)
async def test_every_stage_has_its_words(stage: Stage, event: Event, said: str) -> None:
    progress = StepProgress()
    async with stage(progress).run_test(size=(100, 5)):
        progress.show(event)

        assert line(progress).rstrip().endswith(said)


async def test_a_job_that_a_paused_queue_holds_back_says_so_and_until_when(stage: Stage) -> None:
    progress = StepProgress()
    async with stage(progress).run_test(size=(100, 5)):
        progress.show(status(paused=True))
        assert not line(progress).endswith("paused")
        progress.show(JobQueued(job_id="j", request_id="r", params=PARAMS, position=0))
        assert line(progress).endswith("waiting: the queue is paused")
        progress.show(status(paused=False))
        assert line(progress).endswith("starting")
        progress.show(JobCancelled(job_id="j", completed=0, count=0))
        progress.show(status(paused=True))
        assert line(progress).endswith("stopped")


async def test_steps_show_count_rate_and_the_time_that_the_rest_will_take(stage: Stage) -> None:
    progress = StepProgress()
    async with stage(progress).run_test(size=(100, 5)):
        progress.show(begun())
        for index in range(12):
            progress.show(step(index, seconds=0.5))

        assert progress.words.split() == ["12/25", "2.0", "it/s", "0:06", "left"]
        assert progress.part == pytest.approx(12 / 25)


async def test_slow_steps_are_told_in_seconds_each(stage: Stage) -> None:
    progress = StepProgress()
    async with stage(progress).run_test(size=(100, 5)):
        progress.show(begun())
        progress.show(step(0, seconds=12.4))

        assert "12.4 s/it" in progress.words
        assert "4:58 left" in progress.words


async def test_the_figures_keep_their_places_and_the_line_its_width(stage: Stage) -> None:
    progress = StepProgress()
    async with stage(progress).run_test(size=(100, 5)):
        progress.show(begun(200))
        places = set()
        for index, seconds in enumerate([0.001, 0.02, 0.9, 1.5, 30.0, 500.0]):
            progress.show(step(index * 39, 200, seconds))
            shown = line(progress)
            places.add((len(shown), shown.index("/"), shown.index("left")))

        assert len({(width, left) for width, _, left in places}) == 1
        assert {width for width, _, _ in places} == {100}


async def test_the_bar_grows_by_half_cells_and_is_full_at_the_end(stage: Stage) -> None:
    progress = StepProgress()
    async with stage(progress).run_test(size=(57, 5)):
        progress.show(begun(40))
        progress.show(step(0, 40))
        assert line(progress).startswith("╸───")

        progress.show(step(39, 40))
        assert line(progress).startswith("━" * 20 + " ")


@pytest.mark.parametrize("width", [1, 10, 20, 44, 45, 200])
async def test_every_width_is_filled_and_never_exceeded(stage: Stage, width: int) -> None:
    progress = StepProgress()
    async with stage(progress).run_test(size=(width, 5)):
        progress.show(begun())
        progress.show(step(11))

        assert len(line(progress)) == width
