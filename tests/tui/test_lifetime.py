"""How the interface begins and ends, in a real terminal, with a real engine where it matters."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from sdtui.tui.in_transit import QUESTION
from sdtui.tui.stylesheets import styles_dir
from sdtui.tui.terminal_answers import CELL_SIZE_QUERY, DEVICE_ATTRIBUTES_QUERY, KITTY_QUERY
from tests.terminal import Terminal
from tests.tui.lives.interfaces import (
    CHANGE_THEME,
    FAIL,
    GENERATE,
    QUIT,
    WITH_A_FAKE_ENGINE,
    with_a_fake_engine,
)
from tests.tui.widgets.colour_terminal import ColourTerminal

HEAVY = (
    *("torch", "diffusers", "transformers", "tokenizers", "huggingface_hub"),
    *("PIL", "numpy", "typer"),
)

RENDERER = "\x1b[24~"


def test_the_interface_starts_without_anything_heavy() -> None:
    program = f"import sys, sdtui.tui.app; print([m for m in {HEAVY} if m in sys.modules])"
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "[]"


def test_leaving_says_that_the_run_goes_on() -> None:
    with with_a_fake_engine() as terminal:
        terminal.wait_for("a red apple")
        terminal.wait_for("ready")
        terminal.send(GENERATE)
        terminal.wait_for("12/25")
        terminal.send(QUIT)
        assert terminal.wait_for_exit() == 0
        assert b"1 job still runs; sdtui shows it again" in terminal.output


def test_a_closed_terminal_ends_the_interface() -> None:
    with with_a_fake_engine() as terminal:
        terminal.wait_for("ready")
        terminal.hang_up()
        assert terminal.wait_for_exit() == 128 + signal.SIGHUP


def test_a_closed_terminal_ends_the_interface_even_when_no_signal_comes() -> None:
    # The kernel sends SIGHUP to the leader of the session alone.
    behind_a_leader = textwrap.dedent(
        """
        import os, signal, sys

        if child := os.fork():
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """
    )
    with with_a_fake_engine(behind_a_leader + WITH_A_FAKE_ENGINE) as terminal:
        terminal.wait_for("ready")
        terminal.hang_up()
        assert terminal.wait_for_exit() == 128 + signal.SIGHUP


def test_a_defect_is_reported_without_its_variables(sdtui_home: Path) -> None:
    with with_a_fake_engine() as terminal:
        terminal.wait_for("ready")
        terminal.send(FAIL)
        assert terminal.wait_for_exit() == 1
        shown = terminal.text
    assert "RuntimeError: no such [thing]" in shown
    log = sdtui_home / "logs" / "crash.log"
    assert str(log) in shown.replace("\n", "")
    kept = log.read_text()
    assert "RuntimeError: no such [thing]" in kept
    assert "hunter2" not in kept + terminal.output.decode(errors="replace")
    assert log.stat().st_mode & 0o077 == 0
    assert list(log.parent.iterdir()) == [log]


def test_the_style_sheets_are_found_beside_the_package_first(tmp_path: Path) -> None:
    package = tmp_path / "sdtui"
    for folder in (package / "styles", tmp_path / "styles"):
        folder.mkdir(parents=True)
        (folder / "app.tcss").touch()
    assert styles_dir(package) == package / "styles"
    (package / "styles" / "app.tcss").unlink()
    assert styles_dir(package) == tmp_path / "styles"


def test_what_the_terminal_answers_chooses_how_pictures_are_shown() -> None:
    # It says nothing else: to one that is seen to be slow, previews are sent in half blocks.
    with Terminal([sys.executable, "-c", WITH_A_FAKE_ENGINE]) as terminal:
        terminal.wait_for(lambda _: b"\x1b[16t\x1b[c" in terminal.output)
        terminal.send("\x1b[6;20;10t\x1b[?64;4;22c")
        terminal.wait_for("ready")
        terminal.send(GENERATE)
        terminal.wait_for(lambda _: b"\x1bP0;1;0q" in terminal.output)
        terminal.send(QUIT)
        assert terminal.wait_for_exit() == 0
    assert b"64;4;22c" not in terminal.output


def test_kittys_graphics_are_asked_for_behind_the_name_and_used() -> None:
    with Terminal([sys.executable, "-c", WITH_A_FAKE_ENGINE], answers=True) as terminal:
        terminal.wait_for(lambda _: b"\x1b[16t\x1b[c" in terminal.output)
        assert b"\x1b_G" not in terminal.output
        terminal.send("\x1bP>|kitty(0.35.2)\x1b\\")
        terminal.wait_for(lambda _: KITTY_QUERY.encode() in terminal.output)
        terminal.send("\x1b_Gi=31;OK\x1b\\")
        terminal.wait_for("ready")
        terminal.send(GENERATE)
        terminal.wait_for(lambda _: b"\x1b_Ga=T,U=1" in terminal.output)
        terminal.send(QUIT)
        assert terminal.wait_for_exit() == 0


@pytest.mark.parametrize("by", ["answer", "window"])
def test_a_picture_in_pixels_follows_the_terminals_font(by: str) -> None:
    def change_font(width: int, height: int, columns: int, lines: int) -> None:
        asked = terminal.output.count(CELL_SIZE_QUERY.encode())
        terminal.resize(columns, lines, (width, height) if by == "window" else (0, 0))
        terminal.wait_for(lambda _: terminal.output.count(CELL_SIZE_QUERY.encode()) > asked)
        if by == "answer":
            terminal.send(f"\x1b[6;{height};{width}t")

    def heights() -> list[int]:
        return [int(high) for high in re.findall(rb'\x1bP0;1;0q"1;1;\d+;(\d+)', terminal.output)]

    with ColourTerminal([sys.executable, "-c", WITH_A_FAKE_ENGINE]) as terminal:
        terminal.wait_for(lambda _: DEVICE_ATTRIBUTES_QUERY.encode() in terminal.output)
        terminal.send("\x1b[?64;4;22c")
        terminal.wait_for("ready")
        change_font(10, 20, 100, 24)
        terminal.send(GENERATE)
        terminal.wait_for(lambda _: bool(heights()))
        # Of as many lines, each is twice as high.
        change_font(20, 40, 90, 24)
        terminal.wait_for(lambda _: max(heights()) > 1.9 * heights()[0])
        terminal.send(QUIT)
        assert terminal.wait_for_exit() == 0


def test_a_terminal_that_is_asked_nothing_is_not_asked_when_it_changes_either() -> None:
    environment = {"TERM_PROGRAM": "Apple_Terminal"}
    command = [sys.executable, "-c", WITH_A_FAKE_ENGINE]
    with ColourTerminal(command, env=environment) as terminal:
        terminal.wait_for("ready")
        terminal.resize(50, 15)
        terminal.wait_for("too small")
        terminal.send(QUIT)
        assert terminal.wait_for_exit() == 0
    assert CELL_SIZE_QUERY.encode() not in terminal.output


def test_a_large_picture_is_painted_and_then_nothing_more() -> None:
    noise = "lambda size, sharpness: random.Random(size).randbytes(size * size * 3)"
    program = textwrap.dedent(
        f"""
        import random
        from sdtui.tui.widgets.status_bar import StatusBar
        from tests.tui import fake_engine

        fake_engine.disc = {noise}
        # A busy machine takes seconds for the picture, and the note is to be seen after it.
        StatusBar.note.__defaults__ = (12.0,)
        """
    )
    command = [sys.executable, "-c", program + WITH_A_FAKE_ENGINE]
    with Terminal(command, columns=200, lines=60, answers=True) as terminal:
        terminal.wait_for("ready")
        terminal.send(GENERATE)
        terminal.wait_for("12/25")
        terminal.send(RENDERER)
        terminal.wait_for("pictures as half")
        before = len(terminal.output)
        terminal.send(RENDERER)
        terminal.wait_for("pictures as quadrant")
        # The note goes when nothing else is to be painted any more.
        terminal.wait_for(lambda text: "pictures as" not in text)
        assert len(terminal.output) - before < 1_000_000


def test_what_changed_while_the_terminal_was_late_is_painted_when_it_has_come_so_far() -> None:
    with with_a_fake_engine() as terminal:
        terminal.wait_for("ready")
        terminal.keep_answers()
        asked = terminal.output.count(QUESTION.encode())
        terminal.send(CHANGE_THEME)
        terminal.wait_for(lambda _: terminal.output.count(QUESTION.encode()) > asked)
        # Now the answer is late, and no more is painted than what goes with the first key.
        terminal.watch(0.5)
        terminal.send("1")
        terminal.watch(0.5)
        terminal.send("2")
        terminal.watch(0.5)
        terminal.give_answers()
        terminal.wait_for("a red apple12")


def test_the_terminal_is_asked_nothing_before_its_input_is_raw() -> None:
    """It would show an answer on the shell's screen, where it stands when sdtui has ended."""
    with with_a_fake_engine() as terminal:
        terminal.wait_for("ready")
        # The cursor is hidden when the input has become raw.
        assert terminal.output.index(QUESTION.encode()) > terminal.output.index(b"\x1b[?25l")
