"""An accepted job outlives its engine, and becomes one picture."""

from __future__ import annotations

import resource
import signal
import stat
import subprocess
import sys

import pytest

from sdtui import paths
from sdtui.engine.client import EngineClient
from sdtui.params import DEFAULT_GUIDANCE, GenerationParams
from sdtui.protocol.events import (
    JobCancelled,
    JobFailed,
    JobParked,
    JobSaved,
    JobStarted,
    SavingDelayed,
    StepCompleted,
)
from tests.engine.conftest import StartEngine
from tests.engine.processes import wait_for
from tests.engine.records import check_everything, pictures, stored, unfinished
from tests.engine.watching import of_kind, until


def params(prompt: str = "a red apple", seed: int = 0, steps: int = 3) -> GenerationParams:
    return GenerationParams(
        prompt=prompt, num_inference_steps=steps, seed=seed, width=64, height=64
    )


def kill(engine: subprocess.Popen[bytes], number: signal.Signals = signal.SIGKILL) -> None:
    engine.send_signal(number)
    engine.wait(20)


async def begin(*prompts: str) -> list[str]:
    """Submit a job for each prompt and leave when the first one has begun."""
    client = await EngineClient.connect(start=False)
    job_ids = [await client.submit(params(prompt)) for prompt in prompts]
    await until(client, JobStarted)
    await client.close()
    return job_ids


async def wait_for_pictures(count: int) -> list[str]:
    """The ids of the next jobs that are saved, in their order."""
    client = await EngineClient.connect(start=False)
    saved: list[str] = []
    while len(saved) < count:
        saved += [event.job_id for event in of_kind(await until(client, JobSaved), JobSaved)]
    await client.close()
    return saved


async def test_what_was_accepted_goes_on_in_its_order_when_the_engine_was_killed(
    start_fake_engine: StartEngine,
) -> None:
    engine = start_fake_engine()
    client = await EngineClient.connect(start=False)
    cancelled = await client.submit(params("pause=30"))
    await client.cancel(cancelled)
    job_ids = [await client.submit(params("pause=0.3", seed)) for seed in range(3)]
    kill(engine)
    await client.close()
    # Nothing but the answers was waited for: what was answered is on the disk.
    assert [job for job in unfinished() if job != cancelled] == job_ids
    for file in paths.data_dir().iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    start_fake_engine()
    client = await EngineClient.connect(start=False)
    if cancelled in unfinished():
        await client.cancel(cancelled)
    await client.close()
    assert [job for job in await wait_for_pictures(3) if job != cancelled] == job_ids
    check_everything(job_ids)


async def test_a_job_during_which_the_engine_died_twice_is_parked_and_the_queue_goes_on(
    start_fake_engine: StartEngine,
) -> None:
    engine = start_fake_engine()
    (deadly,) = await begin("pause=30")
    kill(engine)
    engine = start_fake_engine()
    wait_for(lambda: stored(deadly).attempts == 2)
    kill(engine)
    start_fake_engine()
    # Nobody saw its end, so it is told to who comes later.
    client = await EngineClient.connect(start=False)
    (parked,) = of_kind(await until(client, JobParked), JobParked)
    assert parked.job_id == deadly
    assert "session" in parked.message
    assert "queue it again" in parked.remedy
    harmless = await client.submit(params())
    await until(client, JobSaved)
    await client.close()
    jobs = check_everything([deadly, harmless])
    assert (jobs[deadly].state, jobs[deadly].title) == ("parked", parked.title)


@pytest.mark.parametrize("step", ["write", "confirm"])
async def test_an_engine_that_dies_while_it_saves_leaves_one_picture(
    start_fake_engine: StartEngine, step: str
) -> None:
    engine = start_fake_engine("900", "--die-before", step)
    (job_id,) = await begin("a red apple")
    engine.wait(20)
    assert len(pictures()) == (step == "confirm")
    start_fake_engine()
    assert await wait_for_pictures(1) == [job_id]
    assert check_everything([job_id])[job_id].attempts == (1 if step == "confirm" else 2)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_changed_guidance_outlives_the_engine(
    start_fake_engine: StartEngine, number: signal.Signals
) -> None:
    engine = start_fake_engine()
    running, waiting = await begin("pause=0.3", "next")
    client = await EngineClient.connect(start=False)
    await client.adjust(running, 2.0)
    await client.adjust(waiting, 3.0)
    # Its answer says that the engine has read the changes before it.
    await client.submit(params("last"))
    await client.close()
    kill(engine, number)
    assert stored(waiting).guidance_scale == 3.0
    start_fake_engine()
    client = await EngineClient.connect(start=False)
    used: dict[str, set[float]] = {}
    while len(used) < 3 or unfinished():
        for step in of_kind(await until(client, JobSaved), StepCompleted):
            used.setdefault(step.job_id, set()).add(step.guidance_scale)
    assert (used[running], used[waiting]) == ({2.0}, {3.0})
    assert stored(waiting).params.guidance_scale == DEFAULT_GUIDANCE
    await client.close()


async def test_a_stopped_engine_keeps_its_jobs_and_counts_no_attempt(
    start_fake_engine: StartEngine,
) -> None:
    engine = start_fake_engine()
    job_ids = await begin("pause=0.3", "next")
    kill(engine, signal.SIGTERM)
    assert unfinished() == job_ids
    assert (stored(job_ids[0]).state, stored(job_ids[0]).attempts) == ("queued", 0)
    start_fake_engine()
    assert await wait_for_pictures(2) == job_ids
    check_everything(job_ids)


async def test_a_session_that_ends_costs_no_attempt(start_fake_engine: StartEngine) -> None:
    engine = start_fake_engine()
    (job_id,) = await begin("pause=30")
    engine.send_signal(signal.SIGTERM)
    engine.send_signal(signal.SIGHUP)
    assert engine.wait(20) == 0
    assert (stored(job_id).state, stored(job_id).attempts) == ("queued", 0)


async def test_a_cancelled_job_does_not_come_back_with_the_next_engine(
    start_fake_engine: StartEngine,
) -> None:
    engine = start_fake_engine()
    client = await EngineClient.connect(start=False)
    job_id = await client.submit(params("pause=30"))
    await until(client, JobStarted)
    await client.cancel(job_id)
    await client.shutdown(force=True)
    await client.close()
    assert engine.wait(20) == 0
    assert stored(job_id).state == "cancelled"


async def test_how_jobs_end_is_kept(start_fake_engine: StartEngine) -> None:
    start_fake_engine()
    client = await EngineClient.connect(start=False)
    failed = await client.submit(params("fail"))
    stopped = await client.submit(params("pause=0.05", steps=100))
    waiting = await client.submit(params("never drawn"))
    await client.cancel(waiting)
    events = await until(client, JobFailed)
    await until(client, StepCompleted)
    await client.cancel(stopped)
    await until(client, JobCancelled)
    await client.close()
    assert stored(failed).state == "failed"
    assert stored(failed).title == of_kind(events, JobFailed)[0].title
    assert [stored(job_id).state for job_id in (stopped, waiting)] == ["cancelled"] * 2


def test_a_command_whose_engine_is_stopped_says_that_its_job_is_kept(
    start_fake_engine: StartEngine,
) -> None:
    engine = start_fake_engine()
    command = subprocess.Popen(
        [sys.executable, "-m", "sdtui", "generate", "pause=30"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    wait_for(unfinished, 60)
    kill(engine, signal.SIGTERM)
    _, words = command.communicate(timeout=20)
    (job_id,) = unfinished()
    assert command.returncode == 5
    assert f"Job {job_id} is kept" in words.decode()


async def test_a_picture_for_which_there_is_no_room_is_saved_when_there_is(
    start_fake_engine: StartEngine,
) -> None:
    engine = start_fake_engine()
    client = await EngineClient.connect(start=False)
    _, most = resource.prlimit(engine.pid, resource.RLIMIT_FSIZE)
    size = (paths.data_dir() / "history.sqlite3").stat().st_size + 64 * 1024
    resource.prlimit(engine.pid, resource.RLIMIT_FSIZE, (size, most))
    large = GenerationParams(prompt="noise", num_inference_steps=1, width=512, height=512)
    first = await client.submit(large)
    second = await client.submit(params())
    (delayed,) = of_kind(await until(client, SavingDelayed), SavingDelayed)
    assert delayed.job_id == first
    assert [path for path in paths.images_dir().rglob("*") if path.is_file()] == []
    resource.prlimit(engine.pid, resource.RLIMIT_FSIZE, (most, most))
    await client.close()
    assert await wait_for_pictures(2) == [first, second]
    jobs = check_everything([first, second])
    assert jobs[first].attempts == 1


async def test_an_engine_that_is_stopped_without_room_draws_the_picture_again(
    start_fake_engine: StartEngine,
) -> None:
    engine = start_fake_engine()
    client = await EngineClient.connect(start=False)
    size = (paths.data_dir() / "history.sqlite3").stat().st_size + 64 * 1024
    resource.prlimit(engine.pid, resource.RLIMIT_FSIZE, (size, size))
    job_id = await client.submit(
        GenerationParams(prompt="noise", num_inference_steps=1, width=512, height=512)
    )
    await until(client, SavingDelayed)
    await client.close()
    kill(engine, signal.SIGTERM)
    assert engine.returncode == 0
    start_fake_engine()
    assert await wait_for_pictures(1) == [job_id]
    check_everything([job_id])
