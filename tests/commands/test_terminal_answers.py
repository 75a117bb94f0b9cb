"""A terminal that says which one it is, is then asked for what only that one knows."""

from __future__ import annotations

import sys

from sdtui.tui.terminal_answers import KITTY_QUERY
from tests.terminal import Terminal

PROGRAM = """
from sdtui.commands.terminal_answers import ask_terminal
answers, _ = ask_terminal()
print(answers.name, "has graphics" if answers.kitty else "has none")
"""
COMMAND = [sys.executable, "-c", PROGRAM]


def test_a_terminal_is_asked_for_kittys_graphics_when_it_has_said_that_it_is_one() -> None:
    with Terminal(COMMAND) as terminal:
        terminal.wait_for(lambda _: terminal.output.endswith(b"\x1b[c"))
        assert KITTY_QUERY.encode() not in terminal.output
        terminal.send("\x1bP>|kitty(0.35.2)\x1b\\\x1b[6;18;9t\x1b[?62;22c")
        terminal.wait_for(lambda _: terminal.output.endswith(f"{KITTY_QUERY}\x1b[c".encode()))
        terminal.send("\x1b_Gi=31;OK\x1b\\\x1b[?62;22c")
        assert terminal.wait_for_exit() == 0
    assert b"kitty(0.35.2) has graphics" in terminal.output
    assert b"62;22c" not in terminal.output


def test_another_terminal_is_not_asked_for_them() -> None:
    with Terminal(COMMAND) as terminal:
        terminal.wait_for(lambda _: terminal.output.endswith(b"\x1b[c"))
        terminal.send("\x1bP>|tmux 3.5a\x1b\\\x1b[?62;22c")
        assert terminal.wait_for_exit() == 0
    assert KITTY_QUERY.encode() not in terminal.output
    assert b"tmux 3.5a has none" in terminal.output
