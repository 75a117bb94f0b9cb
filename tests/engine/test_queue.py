"""The queue as its users change it: moved, paused, queued again, and kept through every death."""

from __future__ import annotations

import resource
import signal
import subprocess

import pytest

from sdtui import paths
from sdtui.engine.client import EngineClient
from sdtui.engine.job_queue import MAX_QUEUED
from sdtui.errors import EngineError, ParameterError
from sdtui.params import MAX_BATCH, MAX_SEED, GenerationParams
from sdtui.protocol.events import (
    EngineStatus,
    JobCancelled,
    JobFailed,
    JobInterrupted,
    JobParked,
    JobQueued,
    JobSaved,
    JobStarted,
    ListedJob,
    QueueChanged,
    StepCompleted,
)
from tests.engine.conftest import StartEngine
from tests.engine.records import check_everything, history, pictures, stored, unfinished
from tests.engine.watching import names, of_kind, until

Engine = subprocess.Popen  # of bytes


def params(prompt: str = "a red apple", seed: int = 0, steps: int = 3) -> GenerationParams:
    return GenerationParams(
        prompt=prompt, num_inference_steps=steps, seed=seed, width=64, height=64
    )


async def attach() -> EngineClient:
    return await EngineClient.connect(start=False)


async def queue_now() -> QueueChanged:
    """The queue as a client that comes now is shown it."""
    client = await attach()
    (shown,) = of_kind(await until(client, QueueChanged), QueueChanged)
    await client.close()
    return shown


def in_state(queue: QueueChanged, *states: str) -> list[str]:
    """The ids of the listed jobs in these states, in the list's order."""
    return [job.job_id for job in queue.jobs if job.state in states]


def kill(engine: Engine, number: signal.Signals = signal.SIGKILL) -> None:
    engine.send_signal(number)
    engine.wait(20)


async def test_the_queue_lists_what_runs_what_waits_and_what_can_be_queued_again(
    fake_engine: Engine,
) -> None:
    client = await attach()
    failed = await client.submit(params("fail"))
    await until(client, JobFailed)
    running = await client.submit(params("pause=0.3", seed=7, steps=200))
    waiting = [await client.submit(params("x" * 1000)) for _ in range(2)]
    cancelled = await client.submit(params())
    await client.cancel(cancelled)
    await until(client, StepCompleted)
    queue = await queue_now()
    assert [(job.state, job.job_id) for job in queue.jobs] == [
        ("running", running),
        ("queued", waiting[0]),
        ("queued", waiting[1]),
        ("cancelled", cancelled),
        ("failed", failed),
    ]
    of_running, of_waiting, of_failed = queue.jobs[0], queue.jobs[1], queue.jobs[-1]
    assert isinstance(of_running, ListedJob)
    assert (of_running.prompt, of_running.seed, of_running.width) == ("pause=0.3", 7, 64)
    assert len(of_waiting.prompt) == 200
    assert (of_failed.title, of_failed.remedy) == ("It went wrong", "Try another.")
    assert not queue.paused
    await client.close()


async def test_a_moved_job_runs_earlier_also_when_the_engine_dies_right_after_the_answer(
    start_fake_engine: StartEngine,
) -> None:
    engine = start_fake_engine()
    client = await attach()
    await client.pause_queue()
    first, second, third = await client.submit_batch(params(), 3)
    await client.move_up(third)
    await client.move_up(third)
    await client.move_up(third)
    await client.move_up(second)
    kill(engine)
    await client.close()
    order = [third, second, first]
    assert unfinished() == order
    start_fake_engine()
    assert in_state(await queue_now(), "queued") == order
    client = await attach()
    await client.resume_queue()
    saved: list[JobSaved] = []
    while len(saved) < 3:
        saved += of_kind(await until(client, JobSaved), JobSaved)
    assert [event.job_id for event in saved] == order
    await client.close()
    check_everything(order)


async def test_in_a_paused_queue_the_running_job_goes_on_and_no_other_begins(
    start_fake_engine: StartEngine,
) -> None:
    engine = start_fake_engine()
    client = await attach()
    running = await client.submit(params("pause=0.1"))
    waiting = await client.submit(params())
    await until(client, JobStarted)
    await client.pause_queue()
    events = await until(client, JobSaved)
    assert of_kind(events, JobSaved)[0].job_id == running
    (status,) = await until(client, EngineStatus)
    assert isinstance(status, EngineStatus)
    assert (status.paused, status.state, status.queued) == (True, "idle", 1)
    # The worker is free and answers, and still the job waits.
    await client.load_model("another")
    await until(client, EngineStatus)
    await client.close()

    kill(engine)
    start_fake_engine()
    client = await attach()
    assert client.status.paused
    assert in_state(await queue_now(), "queued") == [waiting]
    await client.resume_queue()
    await until(client, JobSaved)
    assert not client.status.paused
    await client.close()
    check_everything([running, waiting])


async def test_an_interrupted_job_stays_the_first_of_a_paused_queue(
    start_fake_engine: StartEngine,
) -> None:
    engine = start_fake_engine()
    client = await attach()
    running = await client.submit(params("pause=30"))
    waiting = await client.submit(params())
    await until(client, JobStarted)
    await client.pause_queue()
    kill(engine)
    await client.close()
    start_fake_engine()
    assert in_state(await queue_now(), "queued", "running") == [running, waiting]
    assert stored(running).attempts == 1


async def test_an_engine_that_only_holds_jobs_back_is_not_needed(
    start_fake_engine: StartEngine,
) -> None:
    engine = start_fake_engine("1.5")
    client = await attach()
    await client.pause_queue()
    waiting = await client.submit(params())
    await client.close()
    assert engine.wait(20) == 0
    assert unfinished() == [waiting]
    start_fake_engine()
    assert (await queue_now()).paused


async def test_what_ended_without_a_picture_can_be_queued_again(fake_engine: Engine) -> None:
    client = await attach()
    cancelled = await client.submit(params("pause=0.2"))
    await until(client, StepCompleted)
    await client.cancel(cancelled)
    await until(client, JobCancelled)
    await client.requeue(cancelled)
    events = await until(client, JobSaved)
    assert of_kind(events, JobQueued)[0].job_id == cancelled
    assert check_everything([cancelled])[cancelled].attempts == 1

    failed = await client.submit(params("fail"))
    await until(client, JobFailed)
    await client.requeue(failed)
    await until(client, JobFailed)
    assert stored(failed).attempts == 1

    parked = await client.submit(params("die=1"))
    await until(client, JobParked)
    assert stored(parked).attempts == 2
    assert (await queue_now()).jobs[0].state == "parked"
    await client.requeue(parked)
    assert len(of_kind(await until(client, JobParked), JobStarted)) == 2
    await client.close()


async def test_what_failed_or_was_cancelled_is_cleared_and_nothing_else_ever_is(
    start_fake_engine: StartEngine,
) -> None:
    engine = start_fake_engine()
    client = await attach()
    saved = await client.submit(params())
    await until(client, JobSaved)
    failed = await client.submit(params("fail"))
    await until(client, JobFailed)
    parked = await client.submit(params("die=1"))
    await until(client, JobParked)
    running = await client.submit(params("pause=0.3", steps=200))
    await until(client, JobStarted)
    waiting, cancelled = await client.submit_batch(params(), 2)
    await client.cancel(cancelled)
    assert in_state(await queue_now(), "failed", "cancelled", "parked") == [
        cancelled,
        parked,
        failed,
    ]
    await client.clear_ended()
    listed = in_state(await queue_now(), "running", "queued", "failed", "cancelled", "parked")
    assert listed == [running, waiting, parked]
    await client.clear_ended()
    assert in_state(await queue_now(), "parked") == [parked]

    for job_id in (running, waiting, saved, cancelled, "nobody"):
        with pytest.raises(ParameterError, match="no job that failed"):
            await client.clear_ended(job_id)
    await client.clear_ended(parked)
    (told,) = of_kind(await until(client, QueueChanged), QueueChanged)
    while in_state(told, "parked"):
        (told,) = of_kind(await until(client, QueueChanged), QueueChanged)
    kill(engine)
    await client.close()
    start_fake_engine()
    assert [job.job_id for job in (await queue_now()).jobs] == [running, waiting]
    client = await attach()
    assert [picture.job_id for picture in (await client.search_gallery()).pictures] == [saved]
    await client.close()
    with history() as database:
        indexed = database.connection.execute("SELECT count(*) FROM prompts").fetchone()
    assert indexed[0] == len([saved, running, waiting])


async def test_a_job_that_was_queued_again_survives_the_engine(
    start_fake_engine: StartEngine,
) -> None:
    engine = start_fake_engine()
    client = await attach()
    await client.pause_queue()
    cancelled, waiting = await client.submit_batch(params(), 2)
    await client.cancel(cancelled)
    await until(client, JobCancelled)
    await client.requeue(cancelled)
    kill(engine)
    await client.close()
    start_fake_engine()
    queue = await queue_now()
    assert in_state(queue, "queued") == [waiting, cancelled]
    assert len(queue.jobs) == 2


async def test_what_cannot_be_done_is_refused_and_changes_nothing(fake_engine: Engine) -> None:
    client = await attach()
    saved = await client.submit(params())
    await until(client, JobSaved)
    running = await client.submit(params("pause=30"))
    await until(client, JobStarted)
    for job_id in (saved, running, "nobody"):
        with pytest.raises(ParameterError) as caught:
            await client.requeue(job_id)
        assert "sdtui queue" in caught.value.remedy
        with pytest.raises(ParameterError, match="no waiting job"):
            await client.move_up(job_id)
    for count in (0, MAX_BATCH + 1):
        with pytest.raises(ParameterError) as caught:
            await client.submit_batch(params(), count)
        assert caught.value.field == "batch"
    assert unfinished() == [running]
    assert len(pictures()) == 1
    await client.close()


async def test_a_batch_is_as_many_jobs_with_seeds_that_follow_one_another(
    start_fake_engine: StartEngine,
) -> None:
    engine = start_fake_engine()
    client = await attach()
    job_ids = await client.submit_batch(params("pause=0.3", seed=MAX_SEED - 1), 4)
    queued = of_kind(await until(client, JobStarted), JobQueued)
    assert [(event.job_id, event.position) for event in queued] == [
        (job_id, place) for place, job_id in enumerate(job_ids)
    ]
    kill(engine)
    await client.close()
    assert unfinished() == job_ids
    seeds = [MAX_SEED - 1, MAX_SEED, 0, 1]
    assert [stored(job_id).params.seed for job_id in job_ids] == seeds
    start_fake_engine()
    client = await attach()
    saved: list[JobSaved] = []
    while len(saved) < 4:
        saved += of_kind(await until(client, JobSaved), JobSaved)
    await client.close()
    jobs = check_everything(job_ids)
    assert [jobs[job_id].state for job_id in job_ids] == ["saved"] * 4


async def test_a_batch_without_room_is_refused_whole(fake_engine: Engine) -> None:
    client = await attach()
    await client.pause_queue()
    for _ in range(MAX_QUEUED // MAX_BATCH - 1):
        await client.submit_batch(params(), MAX_BATCH)
    await client.submit_batch(params(), MAX_BATCH - 2)
    before = unfinished()
    with pytest.raises(EngineError, match="queue is full"):
        await client.submit_batch(params(), 3)
    assert unfinished() == before
    await client.submit_batch(params(), 2)
    with pytest.raises(EngineError, match="queue is full"):
        await client.submit(params())
    queue = await queue_now()
    assert len(in_state(queue, "queued")) == MAX_QUEUED
    await client.close()


async def test_a_batch_that_the_disk_refuses_is_refused_whole(fake_engine: Engine) -> None:
    client = await attach()
    await client.pause_queue()
    waiting = await client.submit(params())
    _, most = resource.prlimit(fake_engine.pid, resource.RLIMIT_FSIZE)
    size = (paths.data_dir() / "history.sqlite3").stat().st_size + 64 * 1024
    resource.prlimit(fake_engine.pid, resource.RLIMIT_FSIZE, (size, most))
    with pytest.raises(EngineError, match="cannot be written"):
        await client.submit_batch(params("x" * 10_000), MAX_BATCH)
    assert unfinished() == [waiting]
    resource.prlimit(fake_engine.pid, resource.RLIMIT_FSIZE, (most, most))
    assert len(await client.submit_batch(params("x" * 10_000), MAX_BATCH)) == MAX_BATCH
    await client.close()


async def test_any_waiting_job_is_cancelled_and_the_others_keep_their_order(
    fake_engine: Engine,
) -> None:
    client = await attach()
    await client.pause_queue()
    job_ids = await client.submit_batch(params(), 5)
    for place in (2, 4, 0):
        await client.cancel(job_ids[place])
        await until(client, JobCancelled)
    assert in_state(await queue_now(), "queued") == [job_ids[1], job_ids[3]]
    assert unfinished() == [job_ids[1], job_ids[3]]
    await client.close()


async def test_a_late_client_is_shown_the_waiting_jobs_where_they_wait_now(
    fake_engine: Engine,
) -> None:
    client = await attach()
    gone = await client.submit(params("pause=30"))
    one, two, three = await client.submit_batch(params(), 3)
    await until(client, JobStarted)
    await client.cancel(gone)
    await client.pause_queue()
    await until(client, JobCancelled)
    await client.move_up(three)
    late = await attach()
    queued = of_kind(await until(late, QueueChanged), JobQueued)
    assert [(event.job_id, event.position) for event in queued] == [
        (one, 0),
        (three, 1),
        (two, 2),
    ]
    await client.close()
    await late.close()


async def test_a_late_client_is_told_why_a_job_waits_again(fake_engine: Engine) -> None:
    client = await attach()
    await client.submit(params("die-once=2 pause=0.2"))
    await until(client, JobStarted)
    await client.pause_queue()
    await until(client, JobInterrupted)
    late = await attach()
    assert names(await until(late, QueueChanged)) == ["JobQueued", "JobInterrupted"]
    await client.resume_queue()
    await until(late, JobSaved)
    await client.close()
    await late.close()


async def test_a_queue_that_goes_on_tries_again_to_start_a_worker(
    start_fake_engine: StartEngine,
) -> None:
    start_fake_engine("900", "--broken")
    client = await attach()
    waiting = await client.submit(params())
    told: list[bool] = []
    while told.count(True) < 2:
        (status,) = of_kind(await until(client, EngineStatus), EngineStatus)
        is_failing = status.trouble is not None
        if told[-1:] == [is_failing]:
            continue
        told.append(is_failing)
        if told == [False, True]:
            await client.pause_queue()
            await client.resume_queue()
    assert told == [False, True, False, True]
    assert unfinished() == [waiting]
    await client.close()


async def test_every_client_is_told_once_for_all_that_changes_in_a_moment(
    fake_engine: Engine,
) -> None:
    watching, asking = await attach(), await attach()
    await until(watching, QueueChanged)
    await asking.pause_queue()
    (paused,) = of_kind(await until(watching, QueueChanged), QueueChanged)
    assert (paused.paused, paused.jobs) == (True, [])
    job_ids = await asking.submit_batch(params(), MAX_BATCH)
    (told,) = of_kind(await until(watching, QueueChanged), QueueChanged)
    assert in_state(told, "queued") == job_ids
    await watching.close()
    await asking.close()
