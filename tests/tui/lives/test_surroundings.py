"""What a user's environment says wrongly of the terminal is not believed."""

from __future__ import annotations

import sys

from sdtui.tui.frame_pace import _QUESTION
from tests.terminal import Terminal
from tests.tui.lives.interfaces import GENERATE, QUIT, WITH_A_FAKE_ENGINE
from tests.tui.widgets.colour_terminal import ColourTerminal

COMMAND = [sys.executable, "-c", WITH_A_FAKE_ENGINE]


def test_the_windows_size_counts_where_columns_and_lines_are_exported() -> None:
    environment = {"COLUMNS": "50", "LINES": "15"}
    with ColourTerminal(COMMAND, columns=100, lines=30, env=environment) as terminal:
        terminal.wait_for("ready")
        assert "too small" not in terminal.text
        terminal.resize(50, 15)
        terminal.wait_for("too small")
        terminal.resize(100, 30)
        terminal.wait_for("ready")
        terminal.send(QUIT)
        assert terminal.wait_for_exit() == 0


def test_the_interface_is_written_in_utf_8_whatever_the_locale() -> None:
    with Terminal(COMMAND, env={"PYTHONIOENCODING": "iso8859-1"}) as terminal:
        terminal.wait_for("ready")
        assert "─" in terminal.text
        assert "\\u" not in terminal.text
        terminal.send(QUIT)
        assert terminal.wait_for_exit() == 0


def test_a_terminal_that_answers_nothing_is_not_asked_behind_every_preview() -> None:
    with Terminal(COMMAND) as terminal:
        terminal.wait_for("ready")
        asked = terminal.output.count(_QUESTION.encode())
        terminal.send(GENERATE)
        terminal.wait_for("x0 at step 12")
        terminal.send(QUIT)
        assert terminal.wait_for_exit() == 0
    assert terminal.output.count(_QUESTION.encode()) == asked
