"""What the terminal says of itself, asked outside the interface, with patience but not for ever."""

from __future__ import annotations

import os
import select
import sys
import termios
import time
import tty
from dataclasses import replace
from functools import cache

from sdtui.tui.renderers.tmux import outer_terminal
from sdtui.tui.terminal_answers import AnswerReader, TerminalAnswers, cell_of_window, questions

PATIENCE_SECONDS = 1.0
"""A link of 300 ms answers well within it; a terminal that says nothing costs it once."""


@cache
def ask_terminal() -> tuple[TerminalAnswers, float]:
    """The answers, and the seconds until they were complete or there was no more patience."""
    descriptor = sys.stdin.fileno()
    asked = questions(os.environ)
    if not asked:
        return TerminalAnswers(cell=cell_of_window(descriptor)), 0.0
    before = termios.tcgetattr(descriptor)
    reader = AnswerReader()
    started = time.monotonic()
    try:
        tty.setcbreak(descriptor)
        os.write(sys.stdout.fileno(), asked.encode())
        while not reader.answers.is_complete:
            left = started + PATIENCE_SECONDS - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                break
            reader.take(os.read(descriptor, 4096).decode(errors="replace"))
    finally:
        # Half an answer is nothing that anybody typed.
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)
    answers = reader.answers
    if answers.kitty and os.environ.get("TMUX"):
        answers = replace(answers, name=outer_terminal())
    if answers.cell is None:
        answers = replace(answers, cell=cell_of_window(descriptor))
    return answers, time.monotonic() - started
