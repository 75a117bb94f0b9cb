"""The command line as a shell sees it, and as a function."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sdtui.cli import main
from tests.engine.conftest import fake_engine, start_fake_engine

__all__ = ["fake_engine", "start_fake_engine"]

SDTUI = (sys.executable, "-m", "sdtui")


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def sdtui(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """`sdtui(*arguments)` in this process."""

    def run(*arguments: str) -> Outcome:
        code = main(list(arguments))
        out, err = capsys.readouterr()
        return Outcome(code, out, err)

    return run


@pytest.fixture(scope="module")
def shared_home() -> Iterator[Path]:
    """A home whose engine several tests share; it is stopped behind the last of them."""
    home = Path(tempfile.mkdtemp(prefix="sdtui-"))
    yield home
    environment = {**os.environ, "SDTUI_HOME": str(home)}
    subprocess.run([*SDTUI, "engine", "stop", "--force"], env=environment, check=True)
    shutil.rmtree(home)


@pytest.fixture
def shell(shared_home: Path) -> Callable[..., Outcome]:
    """`shell(*arguments)` as a process without a terminal, with the shared engine."""

    def run(*arguments: str, stdin: str = "") -> Outcome:
        done = subprocess.run(
            [*SDTUI, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            env={**os.environ, "SDTUI_HOME": str(shared_home)},
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run
