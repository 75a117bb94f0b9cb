"""Engines for tests: the real supervisor in a process of its own, with a fake or a real worker."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sdtui import paths
from sdtui.engine import launch
from sdtui.engine.listener import answers
from tests.engine.processes import FAKE_ENGINE, wait_for

StartEngine = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start_fake_engine(sdtui_home: Path) -> Iterator[StartEngine]:
    """Starts engines with a FakeWorker; ends those that still run afterwards."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        with (sdtui_home / "engine.log").open("ab") as log:
            process = subprocess.Popen(
                [*FAKE_ENGINE, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        started.append(process)
        wait_for(lambda: answers(paths.socket_path()))
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def fake_engine(start_fake_engine: StartEngine) -> subprocess.Popen[bytes]:
    """One running engine with a FakeWorker."""
    return start_fake_engine()


@pytest.fixture(scope="module")
def engine_home() -> Iterator[Path]:
    """The home of a real engine with a real worker, shared by a module's tests."""
    home = Path(tempfile.mkdtemp(prefix="sdtui-"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SDTUI_HOME", str(home))
        engine, _ = launch.start_engine()
        socket = paths.socket_path()
    wait_for(lambda: answers(socket))
    yield home
    engine.send_signal(signal.SIGTERM)
    engine.wait(10)
    shutil.rmtree(home)


@pytest.fixture
def real_engine(sdtui_home: Path, engine_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Leads clients to the module's real engine; its home."""
    monkeypatch.setenv("SDTUI_HOME", str(engine_home))
    return engine_home
