"""A full disk costs nothing but time: no half file, no picture, no accepted job."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdtui import paths
from sdtui.engine import launch
from sdtui.engine.client import EngineClient
from sdtui.errors import EngineError
from sdtui.params import GenerationParams
from sdtui.protocol.events import (
    EngineStatus,
    Event,
    JobCancelled,
    JobFailed,
    JobParked,
    JobSaved,
    JobStarted,
    QueueChanged,
    SavingDelayed,
)
from tests.engine.conftest import StartEngine
from tests.engine.fake_engine import fill
from tests.engine.processes import FAKE_ENGINE, children, wait_for
from tests.engine.records import check_everything, history, pictures, stored, unfinished
from tests.engine.small_disk import small_disk
from tests.engine.watching import of_kind, to_the_end, until

PROMPTS = ("noise", "a red apple", "noise again")


@pytest.fixture(params=["images", "data", "."])
def folder(request: pytest.FixtureRequest, sdtui_home: Path) -> Iterator[Path]:
    """What is on the small disk: the pictures, the database, or everything with the log."""
    with small_disk(sdtui_home / request.param):
        yield sdtui_home / request.param


def params(prompt: str, seed: int = 0) -> GenerationParams:
    return GenerationParams(prompt=prompt, num_inference_steps=2, seed=seed, width=64, height=64)


async def until_the_engine_says(state: str) -> None:
    client = await EngineClient.connect(start=False)
    while client.status.state != state:
        await until(client, EngineStatus)
    await client.close()


async def wait_for_pictures(client: EngineClient, job_ids: list[str]) -> None:
    """Read on until each of these jobs has been saved."""
    saved: list[str] = []
    while saved != job_ids:
        saved += [event.job_id for event in of_kind(await until(client, JobSaved), JobSaved)]
        assert saved == job_ids[: len(saved)]


def check_no_file_is_partial(home: Path) -> None:
    """Every picture opens, and nothing of another one lies about."""
    assert list(home.rglob("*.part")) == []
    for picture in pictures():
        assert picture.read_bytes().endswith(b"IEND\xaeB`\x82")


@pytest.mark.parametrize("step", ["start", "announce", "write", "confirm"])
async def test_a_disk_that_is_full_at_any_step_is_waited_for_and_every_job_is_one_picture(
    start_fake_engine: StartEngine, sdtui_home: Path, folder: Path, step: str
) -> None:
    engine = start_fake_engine("900", "--fill-before", step, str(folder))
    client = await EngineClient.connect(start=False)
    job_ids = await client.submit_batch(params("noise"), 3)
    await until_the_engine_says("waiting for disk")
    command = [sys.executable, "-m", "sdtui", "queue"]
    queue = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
    assert "The queue waits for room on the disk" in queue.stderr
    check_no_file_is_partial(sdtui_home)
    with history() as database:
        assert database.is_sound()
    await until_the_engine_says("waiting for disk")
    (folder / "ballast").unlink()
    await wait_for_pictures(client, job_ids)
    await until_the_engine_says("idle")
    await client.close()
    check_no_file_is_partial(sdtui_home)
    jobs = check_everything(job_ids)
    assert [(job.state, job.attempts) for job in jobs.values()] == [("saved", 1)] * 3
    engine.send_signal(signal.SIGTERM)
    assert engine.wait(20) == 0


@pytest.mark.parametrize("folder", ["data", "."], indirect=True)
async def test_a_job_that_a_full_disk_cannot_keep_is_refused_and_the_next_one_is_drawn(
    start_fake_engine: StartEngine, folder: Path
) -> None:
    start_fake_engine()
    client = await EngineClient.connect(start=False)
    fill(folder)
    with pytest.raises(EngineError) as refused:
        await client.submit_batch(params("noise"), 3)
    assert "disk is full" in refused.value.message
    assert str(paths.data_dir()) in refused.value.message
    (folder / "ballast").unlink()
    job_id = await client.submit(params("a red apple"))
    await wait_for_pictures(client, [job_id])
    await client.close()
    check_everything([job_id])


@pytest.mark.parametrize(
    ("folder", "step"),
    [("images", "write"), ("data", "announce"), ("data", "confirm"), (".", "write")],
    indirect=["folder"],
)
async def test_a_cancelled_job_waits_for_no_room_and_leaves_nothing(
    start_fake_engine: StartEngine, sdtui_home: Path, folder: Path, step: str
) -> None:
    start_fake_engine("900", "--fill-before", step, str(folder))
    client = await EngineClient.connect(start=False)
    cancelled, drawn = await client.submit_batch(params("noise"), 2)
    await until_the_engine_says("waiting for disk")
    await client.cancel(cancelled)
    (told,) = of_kind(await until(client, JobCancelled), JobCancelled)
    assert told.job_id == cancelled
    assert pictures() == []
    check_no_file_is_partial(sdtui_home)
    (folder / "ballast").unlink()
    await wait_for_pictures(client, [drawn])
    assert stored(cancelled).state == "cancelled"
    with history() as database:
        images = database.rows("SELECT job_id FROM images")
    assert [row["job_id"] for row in images] == [drawn]
    await client.requeue(cancelled)
    await wait_for_pictures(client, [cancelled])
    await client.close()
    check_everything([cancelled, drawn])


@pytest.mark.parametrize("folder", ["images", "."], indirect=True)
async def test_a_picture_that_waits_for_room_says_where(
    start_fake_engine: StartEngine, folder: Path
) -> None:
    start_fake_engine("900", "--fill-before", "write", str(folder))
    client = await EngineClient.connect(start=False)
    await client.submit(params("noise"))
    (delayed,) = of_kind(await until(client, SavingDelayed), SavingDelayed)
    assert "No space left" in delayed.message
    assert str(paths.images_dir()) in delayed.message
    await client.close()


@pytest.mark.parametrize("step", ["write", "confirm"])
async def test_an_engine_that_is_killed_on_a_full_disk_is_followed_by_one_that_waits_for_room(
    start_fake_engine: StartEngine, sdtui_home: Path, folder: Path, step: str
) -> None:
    engine = start_fake_engine("900", "--fill-before", step, str(folder))
    client = await EngineClient.connect(start=False)
    job_ids = await client.submit_batch(params("noise"), 2)
    await until_the_engine_says("waiting for disk")
    await client.close()
    engine.kill()
    engine.wait(20)
    check_no_file_is_partial(sdtui_home)
    start_fake_engine()
    await until_the_engine_says("waiting for disk")
    (folder / "ballast").unlink()
    wait_for(lambda: not unfinished())
    check_everything(job_ids)


ENDS: dict[str, tuple[str, type[Event], str]] = {
    "fail": ("fail", JobFailed, "failed"),
    "cancel": ("pause=1", JobCancelled, "cancelled"),
    "park": ("die=1", JobParked, "parked"),
}
"""By the step that writes an end: a prompt that comes to it, its event, and its state."""


async def end_on_a_full_disk(client: EngineClient, step: str, job_id: str) -> None:
    """Let a job that was asked for end, which finds the disk full."""
    if step == "cancel":
        await until(client, JobStarted)
        await client.cancel(job_id)
    await until(client, ENDS[step][1])
    await until_the_engine_says("waiting for disk")


@pytest.mark.parametrize("step", ENDS)
@pytest.mark.parametrize("folder", ["data", "."], indirect=True)
async def test_an_end_that_a_full_disk_cannot_keep_is_written_when_there_is_room(
    start_fake_engine: StartEngine, folder: Path, step: str
) -> None:
    engine = start_fake_engine("900", "--fill-before", step, str(folder))
    prompt, _, state = ENDS[step]
    client = await EngineClient.connect(start=False)
    ended = await client.submit(params(prompt))
    await end_on_a_full_disk(client, step, ended)
    late = await EngineClient.connect(start=False)
    (queue,) = of_kind(await until(late, QueueChanged), QueueChanged)
    await late.close()
    (told,) = queue.jobs
    assert (told.job_id, told.state) == (ended, state)
    assert stored(ended).state == "running", "the disk knows no better"
    for refused in (client.requeue(ended), client.clear_ended(), client.clear_ended(ended)):
        with pytest.raises(EngineError, match="cannot be written"):
            await refused

    (folder / "ballast").unlink()
    await until_the_engine_says("idle")
    job = stored(ended)
    assert (job.state, job.ended_at, job.title) == (state, told.since, told.title)
    engine.kill()
    engine.wait(20)
    await client.close()
    start_fake_engine()
    client = await EngineClient.connect(start=False)
    drawn = await client.submit(params("a red apple"))
    started = of_kind(await until(client, JobSaved), JobStarted)
    assert [event.job_id for event in started] == [drawn]
    assert stored(ended) == job
    await client.requeue(ended)
    await client.close()


@pytest.mark.parametrize("folder", ["data"], indirect=True)
async def test_no_job_begins_before_the_last_ones_end_is_written(
    start_fake_engine: StartEngine, folder: Path
) -> None:
    start_fake_engine("900", "--fill-before", "fail", str(folder))
    client = await EngineClient.connect(start=False)
    failed = await client.submit(params("fail"))
    drawn = await client.submit(params("a red apple"))
    await end_on_a_full_disk(client, "fail", failed)
    assert (stored(failed).state, stored(drawn).state) == ("running", "queued")
    (folder / "ballast").unlink()
    await wait_for_pictures(client, [drawn])
    failing, drawing = stored(failed), stored(drawn)
    assert failing.state == "failed"
    assert drawing.started_at > failing.ended_at
    await client.close()


@pytest.mark.parametrize("room", ["before it ends", "as it ends"])
@pytest.mark.parametrize("folder", ["data"], indirect=True)
async def test_an_engine_without_work_or_clients_stays_for_an_end_that_is_not_yet_written(
    start_fake_engine: StartEngine, folder: Path, room: str
) -> None:
    engine = start_fake_engine("1.5", "--fill-before", "fail", str(folder))
    client = await EngineClient.connect(start=False)
    failed = await client.submit(params("fail"))
    await end_on_a_full_disk(client, "fail", failed)
    await client.close()
    # Without anything to write it would have ended by now.
    await asyncio.sleep(2)
    assert engine.poll() is None
    (folder / "ballast").unlink()
    if room == "as it ends":
        engine.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(engine.wait, 20) == 0
    assert stored(failed).state == "failed"


@pytest.mark.parametrize("folder", ["data"], indirect=True)
async def test_a_worker_is_let_go_and_no_stop_loses_an_end_while_the_disk_is_full(
    start_fake_engine: StartEngine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Longer than it takes to look at the disk again.
    monkeypatch.setenv("SDTUI_IDLE_UNLOAD", "0.5")
    engine = start_fake_engine("900", "--fill-before", "fail", str(folder))
    client = await EngineClient.connect(start=False)
    failed = await client.submit(params("fail"))
    await end_on_a_full_disk(client, "fail", failed)
    await asyncio.to_thread(wait_for, lambda: not children(engine.pid))
    with pytest.raises(EngineError, match="waits for the disk"):
        await client.shutdown()
    (folder / "ballast").unlink()
    await until_the_engine_says("idle")
    await client.shutdown()
    assert await asyncio.to_thread(engine.wait, 20) == 0
    assert stored(failed).state == "failed"
    await client.close()


async def test_a_log_for_which_there_is_no_room_costs_no_picture(
    sdtui_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "ENGINE_COMMAND", (*FAKE_ENGINE, "900"))
    with small_disk(sdtui_home / "logs"):
        fill(sdtui_home / "logs")
        client = await EngineClient.connect()
        job_ids = await client.submit_batch(params("noise"), 2)
        await wait_for_pictures(client, job_ids)
        assert launch.log_path().read_bytes() == b""
        await client.shutdown()
        await to_the_end(client)
        await client.close()
    check_everything(job_ids)


async def test_an_engine_that_finds_no_room_for_a_history_says_which_disk_is_full(
    sdtui_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "ENGINE_COMMAND", (*FAKE_ENGINE, "900"))
    with small_disk(sdtui_home):
        fill(sdtui_home)
        with pytest.raises(EngineError) as refused:
            await EngineClient.connect()
        assert refused.value.message == f"{launch.log_path()}: No space left on device."
        (sdtui_home / "ballast").unlink()
        client = await EngineClient.connect()
        await client.shutdown()
        await to_the_end(client)
        await client.close()
