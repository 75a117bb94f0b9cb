"""`sdtui queue` and `sdtui history` while no engine runs: they look at what the last one left."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sdtui import paths
from sdtui.commands.looking import engine_or_file
from sdtui.engine import launch
from sdtui.engine.client import EngineClient, stop_engine
from sdtui.engine.listener import answers
from sdtui.engine.log_file import log_path
from sdtui.errors import EngineError
from sdtui.history.schema import MIGRATIONS
from sdtui.params import GenerationParams
from sdtui.protocol.events import FINAL_EVENTS, StepCompleted
from tests.engine.conftest import StartEngine
from tests.engine.processes import FAKE_ENGINE
from tests.engine.watching import until


@pytest.fixture(autouse=True)
def _engines_have_a_fake_worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(launch, "ENGINE_COMMAND", FAKE_ENGINE)
    yield
    asyncio.run(stop_engine(force=True))


def no_engine_was_started() -> bool:
    """Whoever starts an engine opens its log."""
    return not answers(paths.socket_path()) and not log_path().exists()


def history_file() -> Path:
    return paths.data_dir() / "history.sqlite3"


def params(prompt: str, seed: int = 7, steps: int = 2) -> GenerationParams:
    return GenerationParams(
        prompt=prompt, num_inference_steps=steps, seed=seed, width=64, height=64
    )


@pytest.fixture
def left(start_fake_engine: StartEngine) -> list[str]:
    """What a killed engine leaves: ids of a saved, a failed, a running and a waiting job."""
    engine = start_fake_engine()

    async def work() -> list[str]:
        client = await EngineClient.connect(start=False)
        job_ids = [await client.submit(params(prompt)) for prompt in ("a red apple", "fail")]
        for _ in job_ids:
            await until(client, *FINAL_EVENTS)
        job_ids.append(await client.submit(params("pause=0.3", steps=200)))
        job_ids.append(await client.submit(params("a fox", seed=8)))
        await until(client, StepCompleted)
        engine.kill()
        engine.wait(20)
        await client.close()
        return job_ids

    return asyncio.run(work())


def listed(sdtui: Callable) -> dict[str, str]:
    """The state of every job in the list, in its order."""
    told = json.loads(sdtui("queue", "--json").out)
    return {job["job_id"]: job["state"] for job in told["jobs"]}


def test_where_nothing_was_ever_made_the_lists_are_empty_and_nothing_begins(
    sdtui: Callable, sdtui_home: Path
) -> None:
    queue = sdtui("queue")
    assert (queue.code, queue.out) == (0, "")
    assert queue.err == "sdtui: Nothing runs or waits.\n"
    history = sdtui("history")
    assert (history.code, history.out) == (0, "")
    assert "No picture was found." in history.err
    assert no_engine_was_started()
    assert not history_file().exists()


def test_the_queue_that_a_killed_engine_left_is_listed_as_its_successor_finds_it(
    sdtui: Callable, left: list[str]
) -> None:
    _, failed, running, waiting = left
    outcome = sdtui("queue")
    rows = [line.split()[:3] for line in outcome.out.splitlines()]
    assert rows[:2] == [["queued", "1", running], ["queued", "2", waiting]]
    assert rows[2][:2] == ["failed", failed]
    assert "It went wrong" in outcome.out
    assert "No engine runs: `sdtui queue resume` starts it" in outcome.err
    assert no_engine_was_started()

    at_rest = listed(sdtui)
    assert sdtui("queue", "pause").code == 0
    assert listed(sdtui) == at_rest
    asyncio.run(stop_engine(force=True))
    outcome = sdtui("queue")
    assert "The queue is paused." in outcome.err
    assert "No engine runs" not in outcome.err


def test_the_history_is_read_without_an_engine(
    sdtui: Callable, left: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = sdtui("history", "appl")
    assert outcome.out.splitlines()[0].endswith("  a red apple")
    assert "seed 7 · 64×64 · 2 steps" in outcome.out
    (picture,) = (json.loads(line) for line in sdtui("history", "--json").out.splitlines())
    assert (picture["job_id"], picture["exists"]) == (left[0], True)
    Path(picture["path"]).unlink()
    assert "file is gone" in sdtui("history").out
    assert "No picture was found." in sdtui("history", "--favourites").err
    assert no_engine_was_started()


def test_a_write_ahead_log_is_read_too(sdtui: Callable, left: list[str]) -> None:
    with closing(sqlite3.connect(history_file())) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("UPDATE jobs SET state = 'cancelled' WHERE id = ?", (left[3],))
        connection.commit()
        assert listed(sdtui) == {left[2]: "queued", left[3]: "cancelled", left[1]: "failed"}
    assert listed(sdtui)[left[3]] == "cancelled"
    assert no_engine_was_started()


def test_looking_changes_nothing(sdtui: Callable, left: list[str]) -> None:
    before = history_file().read_bytes()
    assert (sdtui("queue").code, sdtui("history").code) == (0, 0)
    assert history_file().read_bytes() == before


def test_a_file_that_cannot_be_opened_is_said_by_the_engine_that_tries(sdtui: Callable) -> None:
    history_file().mkdir(parents=True)
    outcome = sdtui("queue")
    assert outcome.code == EngineError.exit_code
    assert "move the file away to begin anew" in outcome.err


def test_what_is_no_database_is_said_without_an_engine(sdtui: Callable) -> None:
    paths.data_dir().mkdir(mode=0o700, parents=True)
    history_file().write_text("not a database, and long enough to be read as one " * 20)
    outcome = sdtui("history")
    assert outcome.code == EngineError.exit_code
    assert str(history_file()) in outcome.err
    assert "move the file away to begin anew" in outcome.err
    assert no_engine_was_started()


def test_an_older_file_is_left_to_an_engine(sdtui: Callable) -> None:
    paths.data_dir().mkdir(mode=0o700, parents=True)
    with closing(sqlite3.connect(history_file())) as connection:
        connection.executescript(f"{MIGRATIONS[0]} PRAGMA user_version = 1;")
        connection.execute(
            "INSERT INTO jobs (id, request_id, params, device, dtype, state, position, queued_at)"
            " VALUES ('old', 'r', '{\"prompt\": \"x\"}', 'auto', 'auto', 'cancelled', 1, 1.0)"
        )
        connection.commit()
    assert listed(sdtui) == {"old": "cancelled"}
    assert answers(paths.socket_path())


def test_what_a_killed_engine_left_half_written_is_left_to_the_next_one(
    sdtui: Callable, left: list[str]
) -> None:
    whole = history_file().read_bytes()
    torn = paths.data_dir().with_name("torn")
    with closing(sqlite3.connect(history_file(), isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE jobs SET state = 'cancelled', title = ?", ("x" * 100_000,))
        shutil.copytree(paths.data_dir(), torn)
    shutil.rmtree(paths.data_dir())
    torn.rename(paths.data_dir())
    assert history_file().read_bytes() != whole
    told = listed(sdtui)
    assert answers(paths.socket_path())
    assert set(told) == set(left[1:])
    assert told[left[1]] == "failed"
    assert told[left[3]] in ("queued", "running")


def test_a_damaged_file_is_a_clear_error(sdtui: Callable, left: list[str]) -> None:
    content = bytearray(history_file().read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    history_file().write_bytes(content)
    for command in ("queue", "history"):
        outcome = sdtui(command)
        assert outcome.code == 5
        assert outcome.err.startswith("sdtui: The history cannot be read")
        assert str(history_file()) in outcome.err
        assert "move the file away" in outcome.err


def test_a_disk_that_fails_while_one_looks_is_said_with_the_name_of_the_file() -> None:
    async def look() -> None:
        async with engine_or_file():
            raise sqlite3.OperationalError("disk I/O error")

    with pytest.raises(EngineError, match="cannot be read") as caught:
        asyncio.run(look())
    assert caught.value.message == f"{history_file()}: disk I/O error"


def test_the_list_of_a_running_engine_is_asked_of_it(
    sdtui: Callable, fake_engine: subprocess.Popen[bytes]
) -> None:
    """What runs is told as running, which the file alone does not say."""

    async def begin() -> str:
        client = await EngineClient.connect(start=False)
        job_id = await client.submit(params("pause=0.3", steps=200))
        await until(client, StepCompleted)
        await client.close()
        return job_id

    job_id = asyncio.run(begin())
    assert listed(sdtui) == {job_id: "running"}
    fake_engine.send_signal(signal.SIGTERM)
    fake_engine.wait(20)
    assert listed(sdtui) == {job_id: "queued"}
