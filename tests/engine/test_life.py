"""An engine's beginning and end, and who may talk to it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import stat
import subprocess
from pathlib import Path

import psutil
import pytest

import sdtui
from sdtui import paths
from sdtui.engine import first_answer
from sdtui.engine.client import EngineClient, stop_engine
from sdtui.engine.launch import EngineNotRunningError
from sdtui.engine.listener import answers, peer_pid, peer_uid
from sdtui.errors import EngineError
from sdtui.params import GenerationParams
from sdtui.protocol.codec import Decoder, encode
from sdtui.protocol.events import (
    AnyEvent,
    EngineStatus,
    JobFailed,
    JobSaved,
    JobStarted,
    RequestRefused,
)
from sdtui.protocol.requests import Attach, Submit
from tests.engine.conftest import StartEngine
from tests.engine.processes import children, wait_for
from tests.engine.watching import names, of_kind, to_the_end, until

PARAMS = GenerationParams(prompt="pause=0.05", num_inference_steps=4)
ENDLESS = GenerationParams(prompt="pause=30")


async def test_an_idle_engine_ends_by_itself(start_fake_engine: StartEngine) -> None:
    engine = start_fake_engine("1.5")
    client = await EngineClient.connect(start=False)
    await asyncio.sleep(2)
    assert engine.poll() is None
    await client.close()
    assert await asyncio.to_thread(engine.wait, 10) == 0
    assert not paths.socket_path().exists()


async def test_what_leaves_an_engine_unneeded_does_not_postpone_its_end(
    start_fake_engine: StartEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDTUI_IDLE_UNLOAD", "0.3")
    engine = start_fake_engine("1")
    # Each look is a connection that asks for nothing.
    wait_for(lambda: not answers(paths.socket_path()))
    assert await asyncio.to_thread(engine.wait, 10) == 0


async def test_an_idle_worker_ends_while_clients_stay_and_the_next_job_starts_another(
    start_fake_engine: StartEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDTUI_IDLE_UNLOAD", "0.4")
    engine = start_fake_engine()
    client = await EngineClient.connect(start=False)
    for _ in range(2):
        await client.submit(PARAMS)
        await until(client, JobSaved)
        assert len(children(engine.pid)) == 1
        while client.status.model:
            await until(client, EngineStatus)
        assert client.status.state == "idle"
        wait_for(lambda: not children(engine.pid))
        await client.grant_preview()
    assert engine.poll() is None
    await client.close()


async def test_a_worker_is_not_idle_while_its_job_takes_long(
    start_fake_engine: StartEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDTUI_IDLE_UNLOAD", "0.1")
    start_fake_engine()
    client = await EngineClient.connect(start=False)
    await client.submit(GenerationParams(prompt="pause=0.3", num_inference_steps=3))
    assert "JobInterrupted" not in names(await until(client, JobSaved))
    await client.close()


async def test_an_engine_without_its_worker_ends_as_well_and_leaves_no_process(
    start_fake_engine: StartEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDTUI_IDLE_UNLOAD", "0.2")
    monkeypatch.setenv("SDTUI_IDLE_EXIT", "2")
    engine = start_fake_engine()
    workers: list[int] = []
    wait_for(lambda: workers or workers.extend(children(engine.pid)))
    wait_for(lambda: not children(engine.pid))
    assert await asyncio.to_thread(engine.wait, 10) == 0
    assert not any(psutil.pid_exists(worker) for worker in workers)


async def test_an_engine_with_work_and_no_client_does_not_end(
    start_fake_engine: StartEngine,
) -> None:
    engine = start_fake_engine("1.5")
    client = await EngineClient.connect(start=False)
    await client.submit(GenerationParams(prompt="pause=0.1", num_inference_steps=8))
    await client.close()
    assert await asyncio.to_thread(engine.wait, 10) == 0
    assert list(paths.images_dir().rglob("*.png"))


async def test_an_engine_that_nobody_can_find_ends_when_its_last_client_leaves(
    fake_engine: subprocess.Popen[bytes],
) -> None:
    client = await EngineClient.connect(start=False)
    shutil.rmtree(paths.runtime_dir())
    await client.submit(PARAMS)
    await until(client, JobSaved)
    assert fake_engine.poll() is None
    with socket.socket(socket.AF_UNIX) as successor:
        successor.bind(os.fspath(paths.socket_path()))
        await client.close()
        assert await asyncio.to_thread(fake_engine.wait, 10) == 0
        assert paths.socket_path().exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_engine_and_worker_and_removes_the_socket(
    fake_engine: subprocess.Popen[bytes], number: signal.Signals
) -> None:
    client = await EngineClient.connect(start=False)
    await client.submit(ENDLESS)
    await until(client, JobStarted)
    workers = children(fake_engine.pid)
    fake_engine.send_signal(number)
    assert await asyncio.to_thread(fake_engine.wait, 10) == 0
    assert len(workers) == 1
    assert not psutil.pid_exists(workers[0])
    assert not paths.socket_path().exists()
    seen = await to_the_end(client)
    assert not of_kind(seen, JobFailed)
    assert client.status.state == "stopping"
    await client.close()


async def test_a_working_engine_is_stopped_only_by_force(
    fake_engine: subprocess.Popen[bytes],
) -> None:
    client = await EngineClient.connect(start=False)
    await client.submit(ENDLESS)
    with pytest.raises(EngineError, match="at work"):
        await client.shutdown()
    with pytest.raises(EngineError, match="at work"):
        await stop_engine()
    assert await stop_engine(force=True)
    assert await asyncio.to_thread(fake_engine.wait, 10) == 0
    await client.close()


async def test_a_stopped_engine_is_named_until_it_goes_on(
    fake_engine: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("sdtui.engine.first_answer._ANSWER_SECONDS", 0.2)
        fake_engine.send_signal(signal.SIGSTOP)
        for asked in (EngineClient.connect(), stop_engine(), stop_engine(force=True)):
            with pytest.raises(EngineError, match="does not answer") as caught:
                await asked
            assert f"Process {fake_engine.pid} " in caught.value.message
            assert str(paths.socket_path()) in caught.value.message
            assert f"kill -CONT {fake_engine.pid}" in caught.value.remedy
    fake_engine.send_signal(signal.SIGCONT)
    assert await asyncio.to_thread(fake_engine.wait, 10) == 0
    assert not await stop_engine()


async def test_a_stopped_engine_to_which_too_many_connect_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sdtui.engine.first_answer._ANSWER_SECONDS", 0.2)
    with socket.socket(socket.AF_UNIX) as stopped:
        stopped.bind(os.fspath(paths.socket_path()))
        stopped.listen(0)
        for _ in range(3):
            with pytest.raises(EngineError, match="does not answer"):
                await EngineClient.connect()


async def test_an_engine_that_takes_long_to_end_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sdtui.engine.first_answer._ANSWER_SECONDS", 0.05)
    asked, may_end = asyncio.Event(), asyncio.Event()

    async def end_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(4)
        ending.close()
        asked.set()
        await may_end.wait()
        writer.close()

    async def takes_connections_when_it_was_asked() -> bool:
        await asked.wait()
        return await takes_connections()

    takes_connections = first_answer._takes_connections
    monkeypatch.setattr(first_answer, "_takes_connections", takes_connections_when_it_was_asked)
    ending = await asyncio.start_unix_server(end_slowly, paths.socket_path())
    stopping = asyncio.create_task(stop_engine())
    await asked.wait()
    await asyncio.sleep(0.3)
    assert not stopping.done()
    may_end.set()
    assert await stopping


async def test_shutdown_returns_when_the_engine_is_gone(
    fake_engine: subprocess.Popen[bytes],
) -> None:
    client = await EngineClient.connect(start=False)
    await client.shutdown()
    with pytest.raises(EngineNotRunningError):
        await EngineClient.connect(start=False)
    assert not await stop_engine()
    await client.close()
    assert await asyncio.to_thread(fake_engine.wait, 10) == 0


async def test_what_is_asked_of_a_lost_engine_raises(fake_engine: subprocess.Popen[bytes]) -> None:
    client = await EngineClient.connect(start=False)
    fake_engine.kill()
    await to_the_end(client)
    with pytest.raises(EngineError, match="lost"):
        await client.submit(PARAMS)
    with pytest.raises(EngineError, match="lost"):
        await client.grant_preview()
    await client.close()


@pytest.mark.usefixtures("fake_engine")
async def test_another_version_is_refused_and_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sdtui, "__version__", "0.0.0")
        with pytest.raises(EngineError) as caught:
            await EngineClient.connect(start=False)
    assert "0.0.0" in caught.value.message
    assert "sdtui engine stop" in caught.value.remedy


@pytest.mark.usefixtures("fake_engine")
@pytest.mark.parametrize(
    "nonsense",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00\x00\x00\x01\xc1",
        b"\xff\xff\xff\xff",
        encode(Attach(version=sdtui.__version__))[:-1] + b"\xff",
    ],
)
async def test_nonsense_is_refused_and_the_engine_lives_on(nonsense: bytes) -> None:
    reader, writer = await asyncio.open_unix_connection(paths.socket_path())
    writer.write(nonsense)
    answer = await Decoder[AnyEvent](AnyEvent).read(reader)
    assert isinstance(answer, RequestRefused)
    assert await reader.read() == b""
    writer.close()
    client = await EngineClient.connect(start=False)
    await client.submit(PARAMS)
    await until(client, JobSaved)
    await client.close()


@pytest.mark.usefixtures("fake_engine")
async def test_impossible_parameters_are_refused_by_name() -> None:
    good = encode(Submit(request_id="1", params=GenerationParams(prompt="x", width=2040)))
    reader, writer = await asyncio.open_unix_connection(paths.socket_path())
    writer.write(encode(Attach(version=sdtui.__version__)))
    writer.write(good.replace((2040).to_bytes(2, "big"), (2041).to_bytes(2, "big")))
    decoder: Decoder[AnyEvent] = Decoder(AnyEvent)
    while not isinstance(answer := await decoder.read(reader), RequestRefused):
        assert answer is not None
    assert answer.field == "width"
    writer.close()


@pytest.mark.usefixtures("fake_engine")
async def test_who_has_not_attached_is_not_served() -> None:
    reader, writer = await asyncio.open_unix_connection(paths.socket_path())
    writer.write(encode(Submit(request_id="1", params=PARAMS)))
    answer = await Decoder[AnyEvent](AnyEvent).read(reader)
    assert isinstance(answer, RequestRefused)
    assert answer.request_id == "1"
    writer.close()


@pytest.mark.usefixtures("fake_engine")
def test_the_socket_is_the_users_alone() -> None:
    path = paths.socket_path()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_there_is_no_network_listener(fake_engine: subprocess.Popen[bytes]) -> None:
    wait_for(lambda: children(fake_engine.pid))
    for pid in (fake_engine.pid, *children(fake_engine.pid)):
        assert psutil.Process(pid).net_connections("inet") == []


def test_the_kernel_says_who_is_at_the_other_end() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert (peer_pid(ours), peer_uid(ours)) == (os.getpid(), os.getuid())


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become somebody else")
@pytest.mark.usefixtures("fake_engine")
def test_another_user_is_turned_away(sdtui_home: Path) -> None:
    path = paths.socket_path()
    for way in (sdtui_home, path.parent):
        way.chmod(0o711)
    path.chmod(0o666)
    stranger = os.fork()
    if stranger == 0:
        try:
            os.setuid(65534)
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(os.fspath(path))
                os._exit(17 if connection.recv(1) == b"" else 1)
        finally:
            # An error is not to lead into the rest of the tests.
            os._exit(2)
    _, status = os.waitpid(stranger, 0)
    assert os.waitstatus_to_exitcode(status) == 17
