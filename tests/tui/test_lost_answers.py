"""A terminal's answer that never comes is not waited for again and again."""

from __future__ import annotations

import textwrap

from sdtui.tui.in_transit import QUESTION
from tests.terminal import Terminal
from tests.tui.lives.interfaces import CHANGE_THEME, QUIT, WITH_A_FAKE_ENGINE, with_a_fake_engine

IMPATIENT = textwrap.dedent(
    """
    from sdtui.tui import driver

    driver._ASK_AGAIN_SECONDS = 0.05
    driver._LAST_ANSWER_SECONDS = 1000.0
    """
)
"""An answer is soon given up, but for the last ones, without which the interface does not end."""


def lose_an_answer(terminal: Terminal) -> None:
    terminal.keep_answers()
    asked = terminal.output.count(QUESTION.encode())
    terminal.send(CHANGE_THEME)
    terminal.wait_for(lambda _: terminal.output.count(QUESTION.encode()) > asked)
    # What was kept till now is not kept any more.
    terminal.keep_answers()
    terminal.send("1")
    terminal.watch(1)
    terminal.give_answers()
    terminal.wait_for("a red apple1")


def test_an_answer_that_was_lost_is_not_waited_for_at_the_end() -> None:
    with with_a_fake_engine(IMPATIENT + WITH_A_FAKE_ENGINE) as terminal:
        terminal.wait_for("ready")
        lose_an_answer(terminal)
        terminal.watch(3)
        terminal.send(QUIT)
        assert terminal.wait_for_exit() == 0
