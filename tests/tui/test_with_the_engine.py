"""The interface on the real engine and worker with the bundled model, in real terminals."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdtui.engine.client import stop_engine
from tests.terminal import Terminal


@pytest.fixture(autouse=True)
def _on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where a run of 200 steps can be left and stopped; and no engine stays."""
    monkeypatch.setenv("SDTUI_DEVICE", "cpu")
    yield
    asyncio.run(stop_engine(force=True))


def interface(lines: int = 60) -> Terminal:
    """`sdtui`, as a user starts it."""
    return Terminal([sys.executable, "-m", "sdtui"], columns=160, lines=lines)


def test_a_run_outlives_its_terminal_and_is_shown_whole_by_the_next_one() -> None:
    with interface() as first:
        first.wait_for("/77")
        first.send("a red apple")
        first.wait_for("5/77")
        # Textual hands a key to what has the focus when it comes, so each waits for the last.
        for keys, shown in (("\t\t", "‹pocket›"), ("\x1b[B\x1b[B", "‹25›"), ("200", "200▏")):
            first.send(keys)
            first.wait_for(shown)
        first.send("\r")
        first.wait_for("‹200›")
        first.send("\r")
        first.wait_for("x0 at step")
        first.process.send_signal(signal.SIGHUP)
        assert first.wait_for_exit() == 128 + signal.SIGHUP
    # High enough for the log of all steps until the stop, so that its beginning is in view.
    with interface(lines=240) as second:
        second.wait_for("/200")
        second.wait_for("a red apple")
        second.send("\x1b")
        second.wait_for("stopped at")
        # The log follows at its own pace.
        second.wait_for("latents")
        second.send("\x11")
        assert second.wait_for_exit() == 0


def test_a_home_that_cannot_be_used_is_said_and_the_interface_stays(tmp_path: Path) -> None:
    home = tmp_path / "file"
    home.touch()
    command = [sys.executable, "-m", "sdtui"]
    with Terminal(command, columns=160, lines=60, env={"SDTUI_HOME": str(home)}) as terminal:
        terminal.wait_for(f"A folder of sdtui cannot be used. {str(home)[:20]}")
        terminal.wait_for("set SDTUI_HOME")
        terminal.send("\x11")
        assert terminal.wait_for_exit() == 0
