"""One engine for each home, started by whoever comes first, and outliving them all."""

from __future__ import annotations

import asyncio
import errno
import os
import pty
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from sdtui import paths
from sdtui.engine import launch, log_file
from sdtui.engine.client import EngineClient, stop_engine
from sdtui.errors import EngineError
from sdtui.params import GenerationParams
from sdtui.protocol.events import JobSaved, RequestRefused
from tests.engine.processes import FAKE_ENGINE, children, wait_for
from tests.engine.watching import names, until

ATTACH = f"""
import asyncio
import signal
from sdtui.engine import launch
from sdtui.engine.client import EngineClient
from sdtui.params import GenerationParams
launch.ENGINE_COMMAND = {FAKE_ENGINE!r}

# What started the tests may have had this signal ignored, and children inherit that.
signal.signal(signal.SIGHUP, signal.SIG_DFL)

async def main():
    client = await EngineClient.connect()
    print(client.status.pid, flush=True)
"""

REAL_ENGINE = launch.ENGINE_COMMAND

JUST_ATTACH = ATTACH + "asyncio.run(main())"

ATTACH_SUBMIT_AND_STAY = (
    ATTACH
    + """
    params = GenerationParams(prompt="pause=0.2", num_inference_steps=6)
    print(await client.submit(params), flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""
)


@pytest.fixture(autouse=True)
def fake_engines(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Launch starts engines with a FakeWorker, and none is left behind."""
    monkeypatch.setattr(launch, "ENGINE_COMMAND", FAKE_ENGINE)
    yield
    asyncio.run(stop_engine(force=True))


async def test_the_first_client_starts_the_engine_and_the_next_one_finds_it() -> None:
    first = await EngineClient.connect()
    second = await EngineClient.connect()
    assert first.status.pid == second.status.pid
    assert os.getsid(first.status.pid) == first.status.pid
    await first.close()
    await second.close()


async def test_a_home_that_is_relative_is_that_of_the_engine_too(
    monkeypatch: pytest.MonkeyPatch, sdtui_home: Path
) -> None:
    monkeypatch.chdir(sdtui_home)
    monkeypatch.setenv("SDTUI_HOME", "here")
    client = await EngineClient.connect()
    engine = psutil.Process(client.status.pid)
    assert engine.cwd() == "/"
    assert engine.environ()["SDTUI_HOME"] == str(sdtui_home / "here")
    await client.submit(GenerationParams(prompt="first"))
    await until(client, JobSaved)
    assert list((sdtui_home / "here" / "images").rglob("*.png"))
    await client.close()


@pytest.mark.parametrize("name", ["run", "logs", "logs/engine.log"])
async def test_an_engine_that_can_have_no_folder_or_log_is_not_started(
    sdtui_home: Path, name: str
) -> None:
    # A file in a folder's place, or a folder in a file's.
    place = sdtui_home / name
    place.parent.mkdir(exist_ok=True)
    if place.suffix:
        place.mkdir()
    else:
        place.touch()
    with pytest.raises(EngineError, match="cannot be used") as caught:
        await EngineClient.connect()
    assert caught.value.message.startswith(f"{place}: ")
    if place.suffix:
        place.rmdir()
    else:
        place.unlink()


async def test_the_log_is_private() -> None:
    client = await EngineClient.connect()
    assert stat.S_IMODE(launch.log_path().stat().st_mode) == 0o600
    assert "serves" in launch.log_path().read_text()
    await client.close()


async def test_a_log_that_has_grown_large_is_put_aside() -> None:
    launch.log_path().write_bytes(b"x" * (4 * 1024 * 1024 + 1))
    client = await EngineClient.connect()
    assert launch.log_path().stat().st_size < 10_000
    assert launch.log_path().with_name("engine.log.1").exists()
    await client.close()


async def test_a_log_that_grows_large_is_put_aside_while_its_engine_and_worker_go_on() -> None:
    client = await EngineClient.connect()
    await client.submit(GenerationParams(prompt="first"))
    await until(client, JobSaved)
    before = children(client.status.pid)
    with launch.log_path().open("ab") as log:
        log.write(b"x" * (4 * 1024 * 1024 + 1) + b"\nthe last line\n")
    former = launch.log_path().with_name("engine.log.1")
    wait_for(lambda: former.exists() and launch.log_path().exists())
    assert former.read_bytes().endswith(b"the last line\n")
    assert stat.S_IMODE(former.stat().st_mode) == 0o600
    await client.submit(GenerationParams(prompt="say=something"))
    await until(client, JobSaved)
    assert children(client.status.pid) == before
    assert launch.log_path().read_bytes() == b"the worker says something\n"
    assert list(log_file.lines())[-2:] == ["the last line\n", "the worker says something\n"]
    await client.close()


def test_clients_that_start_at_once_share_one_engine() -> None:
    clients = [
        subprocess.Popen([sys.executable, "-c", JUST_ATTACH], stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    pids = {client.communicate(timeout=30)[0] for client in clients}
    assert all(client.returncode == 0 for client in clients)
    assert len(pids) == 1


async def test_a_socket_that_a_dead_engine_left_is_replaced() -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(os.fspath(paths.socket_path()))
    client = await EngineClient.connect()
    assert client.status.pid
    await client.close()


async def test_a_new_engine_waits_for_one_that_is_ending() -> None:
    first = await EngineClient.connect()
    paths.socket_path().unlink()
    starting = asyncio.create_task(EngineClient.connect())
    await asyncio.sleep(0.3)
    assert not starting.done()
    os.kill(first.status.pid, signal.SIGTERM)
    second = await starting
    assert second.status.pid != first.status.pid
    await first.close()
    await second.close()


async def test_an_engine_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = (sys.executable, "-c", "import sys; sys.exit('the disk is on fire')")
    monkeypatch.setattr(launch, "ENGINE_COMMAND", broken)
    with pytest.raises(EngineError) as caught:
        await EngineClient.connect()
    assert caught.value.message == "the disk is on fire"
    assert str(launch.log_path()) in caught.value.remedy


@pytest.mark.parametrize(
    ("failure", "message"),
    [(0, "It ended without a word."), (errno.EDQUOT, "Disk quota exceeded.")],
)
async def test_what_others_have_said_is_not_taken_for_an_engines_last_words(
    monkeypatch: pytest.MonkeyPatch, failure: int, message: str
) -> None:
    def sync(descriptor: int) -> None:
        if failure:
            raise OSError(failure, os.strerror(failure))

    refusal = RequestRefused(title="The history cannot be opened", message="It is damaged.")
    launch.log_path().write_bytes(msgspec.json.encode(refusal) + b"\n")
    silent = (sys.executable, "-c", "import sys; sys.exit(1)")
    monkeypatch.setattr(launch, "ENGINE_COMMAND", silent)
    monkeypatch.setattr(os, "fsync", sync)
    with pytest.raises(EngineError, match="could not be started") as caught:
        await EngineClient.connect()
    assert caught.value.message.endswith(message)


async def test_an_engine_that_lives_and_does_not_answer_is_not_said_to_have_ended(
    monkeypatch: pytest.MonkeyPatch, sdtui_home: Path
) -> None:
    launch.log_path().write_text("the last line of another engine\n")
    dumb = ("sh", "-c", f"echo $$ > {sdtui_home}/pid; exec sleep 60")
    monkeypatch.setattr(launch, "ENGINE_COMMAND", dumb)
    monkeypatch.setattr(launch, "_START_SECONDS", 0.1)
    with pytest.raises(EngineError, match="does not answer") as caught:
        await EngineClient.connect()
    assert str(paths.socket_path()) in caught.value.message
    wait_for(lambda: (sdtui_home / "pid").exists() and (sdtui_home / "pid").read_text())
    os.kill(int((sdtui_home / "pid").read_text()), signal.SIGKILL)


async def test_a_history_that_cannot_be_opened_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "ENGINE_COMMAND", REAL_ENGINE)
    path = paths.data_dir() / "history.sqlite3"
    path.parent.mkdir()
    path.write_text("not a database, and long enough to be read as one " * 20)
    with pytest.raises(EngineError) as caught:
        await EngineClient.connect()
    assert caught.value.title == "The history cannot be opened"
    assert str(path) in caught.value.message
    assert "move the file away" in caught.value.remedy


@pytest.mark.parametrize("name", ["SDTUI_IDLE_UNLOAD", "SDTUI_IDLE_EXIT"])
@pytest.mark.parametrize("value", ["soon", "0", "-5", "inf"])
async def test_a_time_that_is_none_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setattr(launch, "ENGINE_COMMAND", REAL_ENGINE)
    monkeypatch.setenv(name, value)
    with pytest.raises(EngineError) as caught:
        await EngineClient.connect()
    assert (caught.value.title, value in caught.value.message) == (f"{name} is no time", True)


def test_a_job_outlives_the_terminal_that_started_it() -> None:
    terminal, its_end = pty.openpty()
    client = subprocess.Popen(
        [sys.executable, "-c", ATTACH_SUBMIT_AND_STAY],
        stdin=its_end,
        stdout=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: os.ttyname(0) and os.close(os.open(os.ttyname(0), os.O_RDWR)),
    )
    os.close(its_end)
    assert client.stdout is not None
    engine = int(client.stdout.readline())
    client.stdout.readline()
    os.close(terminal)
    assert client.wait(10) == -signal.SIGHUP
    assert psutil.pid_exists(engine)

    async def see_the_end() -> list[str]:
        client = await EngineClient.connect(start=False)
        assert client.status.pid == engine
        events = await until(client, JobSaved)
        await client.close()
        return names(events)

    assert asyncio.run(see_the_end()).count("StepCompleted") == 6


@pytest.mark.parametrize("module", ["supervisor", "client", "launch"])
def test_nothing_heavy_is_imported(module: str) -> None:
    program = (
        f"import sys, sdtui.engine.{module}; "
        "print({'torch', 'diffusers', 'transformers', 'numpy', 'textual'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert result.stdout == b"set()\n"
