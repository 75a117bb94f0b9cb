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
from sdtui.tui.terminal_answers import (
    DEVICE_ATTRIBUTES_QUERY,
    AnswerReader,
    TerminalAnswers,
    cell_of_window,
    kitty_question,
    questions,
)

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
    started = time.monotonic()
    try:
        tty.setcbreak(descriptor)
        answers = _answers_to(asked, descriptor)
        seconds = time.monotonic() - started
        in_tmux = bool(os.environ.get("TMUX"))
        if answers.is_complete and in_tmux:
            answers = replace(answers, name=outer_terminal())
        if answers.is_complete and (kitty := kitty_question(answers.name, os.environ)):
            # tmux itself would say at once what it is, before the terminal outside says anything.
            end = "" if in_tmux else DEVICE_ATTRIBUTES_QUERY
            answers = replace(answers, kitty=_answers_to(kitty + end, descriptor).kitty)
    finally:
        # Half an answer is nothing that anybody typed.
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)
    if answers.cell is None:
        answers = replace(answers, cell=cell_of_window(descriptor))
    return answers, seconds


def _answers_to(asked: str, descriptor: int) -> TerminalAnswers:
    """What is answered up to the device attributes, if they are asked for, or to the only answer.

    What came later would be typed at the shell.
    """
    reader = AnswerReader()
    asks_one = not asked.endswith(DEVICE_ATTRIBUTES_QUERY)
    os.write(sys.stdout.fileno(), asked.encode())
    until = time.monotonic() + PATIENCE_SECONDS
    while not (reader.answers.kitty if asks_one else reader.answers.is_complete):
        left = until - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            break
        reader.take(os.read(descriptor, 4096).decode(errors="replace"))
    return reader.answers
