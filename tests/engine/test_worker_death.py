"""A worker that dies costs one retry, never the queue; and it never outlives its engine."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sdtui.engine.client import EngineClient, stop_engine
from sdtui.engine.exit_causes import SPEECHLESS, describe_exit
from sdtui.engine.worker_process import WorkerProcess
from sdtui.errors import EngineError
from sdtui.params import GenerationParams
from sdtui.protocol.events import (
    EngineStatus,
    JobCancelled,
    JobFailed,
    JobInterrupted,
    JobSaved,
    JobStarted,
    ModelFailed,
    ModelLoaded,
    StepCompleted,
    Trouble,
)
from tests.engine.conftest import StartEngine
from tests.engine.processes import children, is_alive, wait_for
from tests.engine.records import stored, unfinished
from tests.engine.watching import names, of_kind, until


def params(prompt: str, steps: int = 4) -> GenerationParams:
    return GenerationParams(prompt=prompt, num_inference_steps=steps)


@pytest.mark.usefixtures("fake_engine")
async def test_a_job_whose_worker_dies_is_tried_once_more_from_its_beginning() -> None:
    client = await EngineClient.connect(start=False)
    await client.submit(params("die-once=2"))
    events = await until(client, JobSaved)
    assert len(of_kind(events, JobStarted)) == 2
    assert [step.step_index for step in of_kind(events, StepCompleted)] == [0, 1, 0, 1, 2, 3]
    assert "restarting" in {status.state for status in of_kind(events, EngineStatus)}
    await client.close()


@pytest.mark.usefixtures("fake_engine")
async def test_a_late_client_sees_the_second_attempt_only() -> None:
    client = await EngineClient.connect(start=False)
    await client.submit(params("die-once=2 pause=0.1", steps=6))
    await until(client, JobStarted)
    await until(client, JobStarted)
    late = await EngineClient.connect(start=False)
    events = await until(late, JobSaved)
    assert names(events).count("JobStarted") == 1
    assert [step.step_index for step in of_kind(events, StepCompleted)] == list(range(6))
    await client.close()
    await late.close()


@pytest.mark.usefixtures("fake_engine")
async def test_a_job_that_kills_its_worker_twice_fails_and_the_queue_goes_on() -> None:
    client = await EngineClient.connect(start=False)
    deadly = await client.submit(params("die=1"))
    harmless = await client.submit(params("harmless"))
    events = await until(client, JobSaved)
    (failed,) = of_kind(events, JobFailed)
    assert failed.job_id == deadly
    assert "SIGKILL" in failed.message
    assert "memory" in failed.remedy
    assert of_kind(events, JobSaved)[0].job_id == harmless
    await client.close()


async def test_a_job_that_was_to_be_cancelled_when_its_worker_died_is_cancelled(
    fake_engine: subprocess.Popen[bytes],
) -> None:
    client = await EngineClient.connect(start=False)
    job_id = await client.submit(params("pause=30"))
    await until(client, JobStarted)
    await client.cancel(job_id)
    # Its answer says that the engine has read the cancellation before it.
    await client.submit(params("next"))
    (worker,) = children(fake_engine.pid)
    os.kill(worker, signal.SIGKILL)
    events = await until(client, JobSaved)
    assert of_kind(events, JobCancelled)[0].job_id == job_id
    await client.close()


async def trouble(client: EngineClient) -> Trouble:
    """Wait until the engine says that it cannot go on, and why."""
    while client.status.trouble is None:
        await until(client, EngineStatus)
    return client.status.trouble


async def test_jobs_wait_for_a_worker_that_cannot_start_until_the_next_one_is_asked_for(
    start_fake_engine: StartEngine, sdtui_home: Path
) -> None:
    start_fake_engine("900", "--broken")
    client = await EngineClient.connect(start=False)
    job_ids = [await client.submit(params("a red apple"))]
    told = await trouble(client)
    assert "exit code 1" in told.message
    assert "sdtui engine logs" in told.remedy
    assert (client.status.state, client.status.queued) == ("failing", 1)
    late = await EngineClient.connect(start=False)
    assert late.status.trouble == told
    await late.close()
    job_ids.append(await client.submit(params("another")))
    await trouble(client)
    assert unfinished() == job_ids
    assert stored(job_ids[0]).attempts == 0

    (sdtui_home / "mended").touch()
    job_ids.append(await client.submit(params("a third")))
    saved = [event for _ in job_ids for event in await until(client, JobSaved)]
    assert [event.job_id for event in of_kind(saved, JobSaved)] == job_ids
    assert client.status.trouble is None
    await client.close()


def test_a_command_does_not_wait_for_a_worker_that_cannot_start(
    start_fake_engine: StartEngine,
) -> None:
    start_fake_engine("900", "--broken")
    for _ in range(2):
        generate = [sys.executable, "-m", "sdtui", "generate", "a red apple"]
        done = subprocess.run(generate, capture_output=True, text=True, timeout=60)
        assert done.returncode == EngineError.exit_code
        assert "The worker cannot be started" in done.stderr
    assert len(unfinished()) == 2
    status = subprocess.run(
        [sys.executable, "-m", "sdtui", "engine", "status"], capture_output=True, text=True
    )
    assert "waiting jobs  2" in status.stdout
    assert "trouble       The worker cannot be started" in status.stdout


async def test_an_engine_that_cannot_work_ends_and_its_successor_does_the_jobs(
    start_fake_engine: StartEngine, sdtui_home: Path
) -> None:
    engine = start_fake_engine("1.5", "--broken")
    client = await EngineClient.connect(start=False)
    job_id = await client.submit(params("a red apple"))
    await trouble(client)
    await client.close()
    assert await asyncio.to_thread(engine.wait, 10) == 0
    assert unfinished() == [job_id]
    (sdtui_home / "mended").touch()
    start_fake_engine()
    wait_for(lambda: stored(job_id).state == "saved")


async def test_a_model_asked_of_a_worker_that_cannot_start_fails_and_may_be_asked_for_again(
    start_fake_engine: StartEngine, sdtui_home: Path
) -> None:
    start_fake_engine("900", "--broken")
    client = await EngineClient.connect(start=False)
    await client.load_model("pocket")
    (failed,) = of_kind(await until(client, ModelFailed), ModelFailed)
    assert failed.title == "The worker cannot be started"
    await trouble(client)
    (sdtui_home / "mended").touch()
    await client.load_model("pocket")
    await until(client, ModelLoaded)
    await client.close()


async def test_a_worker_that_ends_again_and_again_is_replaced_ever_more_slowly(
    start_fake_engine: StartEngine, sdtui_home: Path
) -> None:
    start_fake_engine("900", "--fleeting")
    client = await EngineClient.connect(start=False)
    starts = sdtui_home / "starts"
    wait_for(lambda: starts.exists() and len(starts.read_text().splitlines()) >= 5, 60)
    moments = [float(moment) for moment in starts.read_text().splitlines()]
    pauses = [after - before for before, after in itertools.pairwise(moments)]
    assert all(pause >= least for pause, least in zip(pauses, (0, 0.5, 1, 2), strict=False))

    (sdtui_home / "mended").touch()
    await client.submit(params("a red apple"))
    await until(client, JobSaved)
    await client.close()


async def test_an_engine_ends_while_it_waits_for_the_next_worker(
    start_fake_engine: StartEngine, sdtui_home: Path
) -> None:
    engine = start_fake_engine("900", "--fleeting")
    starts = sdtui_home / "starts"
    wait_for(lambda: starts.exists() and len(starts.read_text().splitlines()) >= 5, 60)
    wait_for(lambda: not children(engine.pid))
    assert await stop_engine()
    assert await asyncio.to_thread(engine.wait, 3) == 0


async def test_the_worker_dies_with_its_engine(fake_engine: subprocess.Popen[bytes]) -> None:
    client = await EngineClient.connect(start=False)
    await client.submit(params("pause=30"))
    await until(client, JobStarted)
    (worker,) = children(fake_engine.pid)
    fake_engine.kill()
    fake_engine.wait()
    wait_for(lambda: not is_alive(worker))
    with pytest.raises(EngineError):
        await client.submit(params("too late"))
    await client.close()


async def test_a_stopped_worker_is_replaced_and_its_job_begins_again(
    start_fake_engine: StartEngine,
) -> None:
    engine = start_fake_engine("--hang", "900")
    client = await EngineClient.connect(start=False)
    await client.submit(params("pause=0.5", steps=6))
    await until(client, StepCompleted)
    (worker,) = children(engine.pid)
    os.kill(worker, signal.SIGSTOP)
    events = await until(client, JobSaved)
    (interrupted,) = of_kind(events, JobInterrupted)
    assert "SIGSTOP" in interrupted.message
    assert interrupted.remedy
    assert not is_alive(worker)
    assert stored(interrupted.job_id).attempts == 2
    await client.close()


async def test_a_worker_that_hangs_is_replaced_and_its_job_begins_again(
    start_fake_engine: StartEngine,
) -> None:
    start_fake_engine("--hang", "1")
    client = await EngineClient.connect(start=False)
    await client.submit(params("hang-once=1"))
    (interrupted,) = of_kind(await until(client, JobSaved), JobInterrupted)
    assert "computed nothing for 1 s" in interrupted.message
    await client.close()


@pytest.mark.parametrize("model", ["pocket", "another"])
async def test_a_job_that_waits_for_its_model_does_not_hang(
    start_fake_engine: StartEngine, model: str
) -> None:
    start_fake_engine("--hang", "0.5")
    client = await EngineClient.connect(start=False)
    await client.load_model("pocket")
    await until(client, ModelLoaded)
    waits = GenerationParams(prompt="fetch=1.5", model=model, num_inference_steps=2)
    await client.submit(waits)
    assert "JobInterrupted" not in names(await until(client, JobSaved))
    await client.close()


async def test_a_long_silent_step_that_computes_is_no_hang(start_fake_engine: StartEngine) -> None:
    start_fake_engine("--hang", "0.5")
    client = await EngineClient.connect(start=False)
    await client.submit(params("busy=1.5"))
    assert "JobInterrupted" not in names(await until(client, JobSaved))
    await client.close()


async def test_a_worker_without_work_does_not_hang(start_fake_engine: StartEngine) -> None:
    engine = start_fake_engine("--hang", "0.5")
    client = await EngineClient.connect(start=False)
    await client.submit(params("x"))
    await until(client, JobSaved)
    (worker,) = children(engine.pid)
    await asyncio.sleep(1.5)
    assert children(engine.pid) == [worker]
    await client.close()


async def test_a_worker_that_says_nothing_understandable_is_not_said_to_lack_memory() -> None:
    nonsense = "import time; print('no frame at all', flush=True); time.sleep(60)"
    process = await WorkerProcess.start((sys.executable, "-c", nonsense))
    assert [event async for event in process.events()] == []
    assert process.returncode == -signal.SIGKILL
    assert process.cause == SPEECHLESS


def test_exit_codes_and_signals_are_named() -> None:
    assert "exit code 3" in describe_exit(3)[0]
    assert "device failed" in describe_exit(70)[0]
    assert "SIGSEGV" in describe_exit(-signal.SIGSEGV)[0]
    assert "files" in describe_exit(-signal.SIGBUS)[1]
    assert "signal 200" in describe_exit(-200)[0]
