"""A history that is moved away, emptied or damaged is named, and costs no drawn picture."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sdtui import paths
from sdtui.engine import launch
from sdtui.engine.client import EngineClient, stop_engine
from sdtui.errors import EngineError
from sdtui.history.database import Database, journal_mode
from sdtui.history.images import read_params
from sdtui.history.jobs import JobStore
from sdtui.params import GenerationParams
from sdtui.protocol.events import EngineStatus, JobFailed, JobSaved, StepCompleted
from tests.engine.conftest import StartEngine
from tests.engine.records import pictures, stored
from tests.engine.watching import of_kind, to_the_end, until


@pytest.fixture
def file(sdtui_home: Path) -> Path:
    """The history of an engine that notices what becomes of its file while it runs."""
    if journal_mode(sdtui_home) == "WAL":
        pytest.skip("with a write-ahead log, SQLite notices later or never")
    return paths.data_dir() / "history.sqlite3"


@pytest.fixture
def home_of_one_engine(sdtui_home: Path) -> Iterator[Path]:
    """A home whose engine, whoever starts it, is ended."""
    yield sdtui_home
    asyncio.run(stop_engine(force=True))


def params(prompt: str) -> GenerationParams:
    return GenerationParams(prompt=prompt, num_inference_steps=2, width=64, height=64)


def move(file: Path, to: Path) -> None:
    """What a user does by hand."""
    file.rename(to)


def empty(file: Path) -> None:
    """Leave nothing in the file."""
    file.write_bytes(b"")


def damage(file: Path) -> None:
    """Overwrite all pages after the first, and let whoever has the file open read them anew."""
    content = file.read_bytes()
    changes = int.from_bytes(content[24:28], "big") + 1
    head = content[:24] + changes.to_bytes(4, "big") + content[28:4096]
    with file.open("r+b") as opened:
        opened.write(head + b"\xa5" * (len(content) - 4096))


async def begin(client: EngineClient, *others: str) -> list[str]:
    """Submit a job that is not drawn before `let_go`, and others behind it."""
    job_ids = [await client.submit(params(prompt)) for prompt in ("hold=1", *others)]
    await until(client, StepCompleted)
    return job_ids


def let_go(home: Path) -> None:
    (home / "go").touch()


async def until_it_fails(client: EngineClient) -> EngineStatus:
    """The first status with trouble."""
    while client.status.trouble is None:
        await until(client, EngineStatus)
    return client.status


def check_the_picture_is_kept(failed: JobFailed, file: Path) -> None:
    """The one picture is whole and named, and so is the file that does not know of it."""
    (picture,) = pictures()
    assert read_params(picture).prompt == "hold=1"
    assert str(picture) in failed.message
    assert str(file) in failed.message
    assert "room" not in failed.remedy


async def test_a_picture_whose_history_was_moved_away_is_kept_and_the_queue_waits_for_it(
    start_fake_engine: StartEngine, sdtui_home: Path, file: Path
) -> None:
    start_fake_engine()
    client = await EngineClient.connect(start=False)
    first, second = await begin(client, "second")
    move(file, sdtui_home / "elsewhere")
    let_go(sdtui_home)
    (failed,) = of_kind(await until(client, JobFailed), JobFailed)
    assert failed.job_id == first
    check_the_picture_is_kept(failed, file)
    status = await until_it_fails(client)
    assert (status.state, status.queued) == ("failing", 1)
    assert status.trouble is not None
    assert str(file) in status.trouble.message
    assert "room" not in status.trouble.remedy
    with pytest.raises(EngineError, match="moved or removed"):
        await client.submit(params("third"))
    assert len(pictures()) == 1

    move(sdtui_home / "elsewhere", file)
    third = await client.submit(params("third"))
    saved = [of_kind(await until(client, JobSaved), JobSaved)[-1].job_id for _ in range(2)]
    assert saved == [second, third]
    assert (stored(first).state, stored(first).message) == ("failed", failed.message)
    await client.resume_queue()
    assert client.status.trouble is None
    await client.close()


@pytest.mark.parametrize("way", ["asked", "by itself"])
async def test_an_engine_without_its_history_stays_for_nothing(
    start_fake_engine: StartEngine, sdtui_home: Path, file: Path, way: str
) -> None:
    engine = start_fake_engine("1.5" if way == "by itself" else "900")
    client = await EngineClient.connect(start=False)
    await begin(client)
    move(file, sdtui_home / "elsewhere")
    let_go(sdtui_home)
    await until(client, JobFailed)
    await until_it_fails(client)
    if way == "asked":
        await client.shutdown()
    await client.close()
    assert await asyncio.to_thread(engine.wait, 20) == 0
    assert len(pictures()) == 1


async def test_a_picture_whose_history_is_damaged_is_kept_and_the_file_is_named(
    start_fake_engine: StartEngine, sdtui_home: Path, file: Path
) -> None:
    engine = start_fake_engine()
    client = await EngineClient.connect(start=False)
    await begin(client)
    damage(file)
    let_go(sdtui_home)
    (failed,) = of_kind(await until(client, JobFailed), JobFailed)
    check_the_picture_is_kept(failed, file)
    status = await until_it_fails(client)
    assert status.running_job_id is None
    assert status.trouble is not None
    assert str(pictures()[0]) in status.trouble.message
    for request in (
        client.search_gallery(),
        client.submit(params("second")),
        EngineClient.connect(start=False),
    ):
        with pytest.raises(EngineError, match="cannot be read") as refused:
            await request
        assert str(file) in refused.value.message
        assert "move the file away" in refused.value.remedy
    await client.shutdown()
    await to_the_end(client)
    await client.close()
    assert await asyncio.to_thread(engine.wait, 20) == 0


async def test_what_an_engine_did_not_expect_is_told_and_ends_no_conversation(
    fake_engine: subprocess.Popen[bytes], file: Path
) -> None:
    client = await EngineClient.connect(start=False)
    empty(file)
    for request in (client.requeue("any"), client.requeue("other")):
        with pytest.raises(EngineError, match="could not do that") as refused:
            await request
        assert "no such table" in refused.value.message
    with pytest.raises(EngineError, match="could not do that"):
        await EngineClient.connect(start=False)
    await client.shutdown()
    await to_the_end(client)
    await client.close()


async def test_an_engine_that_finds_its_history_damaged_names_it_and_takes_no_connection(
    home_of_one_engine: Path,
) -> None:
    with closing(Database.open()) as database:
        JobStore(database).add({"a": params("a red apple")}, "request", "cpu", "fp32")
    file = paths.data_dir() / "history.sqlite3"
    damage(file)
    with pytest.raises(EngineError, match="cannot be read") as refused:
        await EngineClient.connect()
    assert str(file) in refused.value.message
    assert "move the file away" in refused.value.remedy
    assert "Traceback" not in launch.log_path().read_text()
