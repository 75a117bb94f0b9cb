"""A worker that its device holds: it heeds nothing, computes nothing, or does not even die."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from sdtui.engine import launch, listener, supervisor, worker_process, worker_watch
from sdtui.engine.client import EngineClient
from sdtui.engine.exit_causes import STOPPED, ExitCause, hung
from sdtui.engine.job import Job
from sdtui.engine.patience import Patience
from sdtui.engine.worker_process import WorkerProcess
from sdtui.engine.worker_watch import ProcessState, replace_if_stuck
from sdtui.params import GenerationParams
from sdtui.protocol.events import (
    ComponentLoading,
    DeviceFailed,
    DownloadProgressed,
    JobCancelled,
    JobInterrupted,
    JobSaved,
    ModelFailed,
    ModelLoaded,
    PromptTokenized,
    StepCompleted,
)
from tests.engine.conftest import StartEngine
from tests.engine.processes import children
from tests.engine.watching import of_kind, until
from tests.tui.fake_engine import step

PARAMS = GenerationParams(prompt="x", num_inference_steps=2)


async def test_a_cancelled_job_that_goes_on_all_the_same_is_ended_with_its_worker(
    start_fake_engine: StartEngine,
) -> None:
    engine: subprocess.Popen[bytes] = start_fake_engine("--cancel", "0.2", "900")
    client = await EngineClient.connect(start=False)
    endless = GenerationParams(prompt="busy=600", num_inference_steps=2)
    job_id = await client.submit(endless, device="cuda")
    await until(client, PromptTokenized)
    (worker,) = children(engine.pid)
    # The second is on its way before the first has any effect.
    await asyncio.gather(client.cancel(job_id), client.cancel(job_id))
    events = await until(client, JobCancelled)
    assert of_kind(events, JobCancelled)[0].job_id == job_id
    await client.submit(PARAMS)
    assert not of_kind(await until(client, JobSaved), JobInterrupted)
    assert worker not in children(engine.pid)
    await client.close()


async def test_a_cpu_may_take_its_time_for_the_step_in_which_its_job_is_cancelled(
    start_fake_engine: StartEngine,
) -> None:
    engine: subprocess.Popen[bytes] = start_fake_engine("--cancel", "0.2", "900")
    client = await EngineClient.connect(start=False)
    job_id = await client.submit(GenerationParams(prompt="busy=1", num_inference_steps=2))
    await until(client, PromptTokenized)
    workers = children(engine.pid)
    await client.cancel(job_id)
    await until(client, JobCancelled)
    assert children(engine.pid) == workers
    await client.close()


async def give_up_by_cancelling(client: EngineClient, model: str) -> None:
    """Cancel a picture that waits for its model."""
    job_id = await client.submit(msgspec.structs.replace(PARAMS, model=model))
    await client.cancel(job_id)
    await until(client, JobCancelled)


async def give_up_for_another(client: EngineClient, _: str) -> None:
    """Ask for another model."""
    await client.load_model("another")


@pytest.mark.parametrize("give_up", [give_up_by_cancelling, give_up_for_another])
async def test_a_device_that_hangs_while_a_model_comes_ahead_of_its_use_is_given_up_with_it(
    start_fake_engine: StartEngine, give_up: Callable[[EngineClient, str], Awaitable[None]]
) -> None:
    engine: subprocess.Popen[bytes] = start_fake_engine("--cancel", "0.2", "900")
    client = await EngineClient.connect(start=False)
    await client.load_model("stuck")
    await until(client, ComponentLoading)
    (worker,) = children(engine.pid)
    await give_up(client, "stuck")
    (failed,) = of_kind(await until(client, ModelFailed), ModelFailed)
    assert "did not heed a cancellation for 0.2 s" in failed.message
    await client.submit(msgspec.structs.replace(PARAMS, model="stuck"))
    await until(client, JobSaved)
    assert worker not in children(engine.pid)
    await client.close()


@pytest.mark.parametrize("ahead", [True, False])
@pytest.mark.parametrize("model", ["remote", "filling"])
async def test_a_model_may_take_its_time_though_the_picture_that_needs_it_is_cancelled(
    start_fake_engine: StartEngine, sdtui_home: Path, model: str, ahead: bool
) -> None:
    engine: subprocess.Popen[bytes] = start_fake_engine("--cancel", "1", "900")
    client = await EngineClient.connect(start=False)
    if ahead:
        await client.load_model(model)
        await until(client, DownloadProgressed, ComponentLoading)
    job_id = await client.submit(msgspec.structs.replace(PARAMS, model=model))
    if not ahead:
        await until(client, DownloadProgressed, ComponentLoading)
    workers = children(engine.pid)
    await client.cancel(job_id)
    await asyncio.sleep(2.5)
    (sdtui_home / "go").touch()
    events = await until(client, ModelLoaded)
    assert not of_kind(events, ModelFailed)
    assert children(engine.pid) == workers
    await client.close()


def test_a_job_knows_its_slowest_step_and_the_preview_that_came_with_it() -> None:
    job = Job("1", "r", PARAMS, "cuda", "auto")
    for index, seconds in enumerate([30.0, 2.0]):
        figures, _ = step("1", PARAMS, index)
        assert isinstance(figures, StepCompleted)
        job.note(msgspec.structs.replace(figures, seconds=seconds, preview_seconds=1.0), b"")
    assert job.slowest_step == 31.0
    job.start_over()
    assert job.slowest_step == 0.0


class FakeProcess:
    """A process that ends when it is killed, or not even then."""

    pid = 1

    def __init__(self, *, is_mortal: bool) -> None:
        self.stdout = asyncio.StreamReader()
        self.returncode: int | None = None
        self._is_mortal = is_mortal
        self._ended = asyncio.Event()

    def kill(self) -> None:
        """Be killed."""
        if self._is_mortal:
            self.returncode = -9
            self._ended.set()

    async def wait(self) -> int | None:
        """Wait for the end."""
        await self._ended.wait()
        return self.returncode


async def test_a_killed_worker_that_does_not_end_is_left_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_process, "_DEATH_SECONDS", 0.01)
    monkeypatch.setattr(worker_process, "_LAST_WORDS_SECONDS", 0.01)
    process = WorkerProcess(FakeProcess(is_mortal=False))  # type: ignore[arg-type]
    process.kill(STOPPED)
    async with asyncio.timeout(20):
        assert [event async for event in process.events()] == []
    assert process.returncode is None
    assert process.cause == STOPPED


def test_an_engine_waits_for_its_predecessor_as_long_as_that_is_held_up() -> None:
    worker = worker_process._DEATH_SECONDS + worker_process._LAST_WORDS_SECONDS
    held_up = worker + supervisor._FAREWELL_SECONDS
    assert held_up < listener._LOCK_SECONDS < launch._START_SECONDS


@pytest.mark.parametrize(("letter", "cause"), [("S", hung(0)), ("D", hung(0)), ("R", None)])
async def test_a_worker_that_only_waits_while_it_should_compute_hangs(
    monkeypatch: pytest.MonkeyPatch, letter: str, cause: ExitCause | None
) -> None:
    looks: Iterator[ProcessState] = iter([ProcessState(letter, 7)] * 3)
    monkeypatch.setattr(worker_watch, "process_state", lambda _: next(looks, None))
    process = WorkerProcess(FakeProcess(is_mortal=True))  # type: ignore[arg-type]
    await replace_if_stuck(process, lambda: True, Patience(hang=0, worker_look=0))
    assert (process.returncode is not None) == (cause is not None)
    if cause is not None:
        assert process.cause == cause


async def test_the_last_words_about_a_device_say_why_its_worker_ended() -> None:
    words = DeviceFailed(message="CUDA error: unspecified launch failure")
    dying = (
        "import sys; from sdtui.protocol.codec import encode; "
        "from sdtui.protocol.events import DeviceFailed; "
        f"sys.stdout.buffer.write(encode({words!r})); sys.stdout.flush(); sys.exit(70)"
    )
    process = await WorkerProcess.start((sys.executable, "-c", dying))
    assert [event async for event in process.events()] == []
    assert process.cause.message == "The device failed: CUDA error: unspecified launch failure."
