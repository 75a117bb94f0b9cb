"""How the interface begins and ends, in a real terminal, with a real engine where it matters."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from sdtui.tui.stylesheets import styles_dir
from tests.terminal import Terminal

HEAVY = ("torch", "diffusers", "transformers", "PIL", "tokenizers", "huggingface_hub", "typer")

ON_A_FAKE_ENGINE = textwrap.dedent(
    """
    import sys
    from sdtui.tui import app, bridge
    from tests.tui.fake_engine import FakeEngineClient
    from tests.tui.stage import params

    async def connect():
        return FakeEngineClient(stop_after=12)

    app.SdtuiApp.__init__.__defaults__ = (connect, params())
    sys.exit(app.run())
    """
)

RESTORED = {
    "the alternate screen is left": b"\x1b[?1049l",
    "the mouse is let go": b"\x1b[?1000l",
    "the cursor is shown": b"\x1b[?25h",
    "bracketed paste is off": b"\x1b[?2004l",
}


def interface(program: str = ON_A_FAKE_ENGINE) -> Terminal:
    """The interface in a terminal of its own, its prompt filled in."""
    return Terminal([sys.executable, "-c", program])


def test_the_interface_starts_without_anything_heavy() -> None:
    program = f"import sys, sdtui.tui.app; print([m for m in {HEAVY} if m in sys.modules])"
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "[]"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_the_terminal_as_it_was(number: signal.Signals) -> None:
    with interface() as terminal:
        terminal.wait_for("ready")
        terminal.process.send_signal(number)
        assert terminal.wait_for_exit() == 128 + number
        last_of = {what: terminal.output.rfind(sequence) for what, sequence in RESTORED.items()}
        assert [what for what, place in last_of.items() if place < 0] == []
        for again in (b"\x1b[?1049h", b"\x1b[?1000h", b"\x1b[?25l", b"\x1b[?2004h"):
            off = again[:-1] + (b"l" if again.endswith(b"h") else b"h")
            assert terminal.output.rfind(off) > terminal.output.rfind(again)


def test_leaving_says_that_the_run_goes_on() -> None:
    with interface() as terminal:
        terminal.wait_for("a red apple")
        terminal.wait_for("ready")
        terminal.send("\r")
        terminal.wait_for("12/25")
        terminal.send("\x11")
        assert terminal.wait_for_exit() == 0
        assert b"1 job still runs; sdtui shows it again" in terminal.output


def test_the_screen_is_whole_again_after_the_shell_had_the_terminal() -> None:
    with interface() as terminal:
        terminal.wait_for("ready")
        terminal.process.send_signal(signal.SIGTSTP)
        terminal.wait_for(lambda _: terminal.output.endswith(b"\x1b[?1004l"))
        os.waitpid(terminal.process.pid, os.WUNTRACED)
        terminal.erase()
        terminal.process.send_signal(signal.SIGCONT)
        terminal.wait_for("ready")
        terminal.wait_for("a red apple")


def test_a_closed_terminal_ends_the_interface() -> None:
    with interface() as terminal:
        terminal.wait_for("ready")
        os.close(terminal._ours)
        assert terminal.process.wait(30) in (128 + signal.SIGHUP, -signal.SIGHUP)
        terminal._ours = os.open(os.devnull, os.O_RDONLY)


def test_a_failure_of_the_interface_is_reported_without_its_variables(sdtui_home: Path) -> None:
    failing = ON_A_FAKE_ENGINE.replace(
        "sys.exit",
        textwrap.dedent(
            """
            from sdtui.tui.screens.main import MainScreen

            def broken(self):
                password = "hunter" + "2"
                raise RuntimeError("no such [thing]")

            MainScreen.action_new_seed = broken
            sys.exit"""
        ),
    )
    with interface(failing) as terminal:
        terminal.wait_for("ready")
        terminal.send("\x12")
        assert terminal.wait_for_exit() == 1
        shown = terminal.text
    assert "sdtui failed: RuntimeError: no such [thing]" in shown
    log = sdtui_home / "logs" / "ui.log"
    assert str(log) in shown.replace("\n", "")
    kept = log.read_text()
    assert "RuntimeError: no such [thing]" in kept
    assert "hunter2" not in kept + terminal.output.decode(errors="replace")
    assert log.stat().st_mode & 0o077 == 0


def test_the_style_sheets_are_found_beside_the_package_first(tmp_path: Path) -> None:
    package = tmp_path / "sdtui"
    for folder in (package / "styles", tmp_path / "styles"):
        folder.mkdir(parents=True)
        (folder / "app.tcss").touch()
    assert styles_dir(package) == package / "styles"
    (package / "styles" / "app.tcss").unlink()
    assert styles_dir(package) == tmp_path / "styles"
