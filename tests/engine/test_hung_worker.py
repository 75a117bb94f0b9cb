"""A worker that its device holds: it heeds nothing, computes nothing, or does not even die."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator

import msgspec
import pytest

from sdtui.engine import worker_process, worker_watch
from sdtui.engine.client import EngineClient
from sdtui.engine.exit_causes import STOPPED, ExitCause, hung
from sdtui.engine.job import Job
from sdtui.engine.patience import Patience
from sdtui.engine.worker_process import WorkerProcess
from sdtui.engine.worker_watch import ProcessState, replace_if_stuck
from sdtui.params import GenerationParams
from sdtui.protocol.events import (
    DeviceFailed,
    JobCancelled,
    JobInterrupted,
    JobSaved,
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
    job_id = await client.submit(GenerationParams(prompt="busy=600", num_inference_steps=2))
    await until(client, PromptTokenized)
    (worker,) = children(engine.pid)
    await client.cancel(job_id)
    await client.cancel(job_id)
    events = await until(client, JobCancelled)
    assert of_kind(events, JobCancelled)[0].job_id == job_id
    await client.submit(PARAMS)
    assert not of_kind(await until(client, JobSaved), JobInterrupted)
    assert worker not in children(engine.pid)
    await client.close()


def test_a_job_knows_its_slowest_step_and_the_preview_that_came_with_it() -> None:
    job = Job("1", "r", PARAMS, "cuda", "auto")
    for index, seconds in enumerate([30.0, 2.0]):
        figures, _ = step("1", PARAMS, index)
        assert isinstance(figures, StepCompleted)
        job.note(msgspec.structs.replace(figures, seconds=seconds, preview_seconds=1.0), b"")
    assert job.slowest_step == 31.0


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
