"""The tests' own terminal: what a real one shrugs off does not end it."""

from __future__ import annotations

import string
import sys

import pytest

from tests.terminal import Terminal


@pytest.mark.parametrize("start", [r"\033[38;2;12;4;5", r"\033[?38;3;3", r"\033[38"])
def test_a_sequence_that_a_program_leaves_unfinished_is_ended_by_any_letter(start: str) -> None:
    sentences = "".join(rf"{start}{letter}.\n" for letter in string.ascii_letters)
    with Terminal(["printf", rf"{sentences}\033[2J\033[Hthe end\n"]) as terminal:
        terminal.wait_for("the end")


ASKS_IN_TWO_PARTS = """
import sys, tty
tty.setcbreak(0)
print("\\x1b[?20", end="", flush=True)
sys.stdin.read(1)
print("26$p", end="", flush=True)
sys.stdin.read(1)
print("answered")
"""


def test_a_question_that_comes_in_two_parts_is_answered() -> None:
    with Terminal([sys.executable, "-c", ASKS_IN_TWO_PARTS], answers=True) as terminal:
        terminal.wait_for(lambda _: terminal.output.endswith(b"\x1b[?20"))
        terminal.send(" ")
        terminal.wait_for("answered")
