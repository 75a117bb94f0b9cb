"""A terminal that changes its size while an engine draws: all comes to where it belongs."""

from __future__ import annotations

import random
import sys

import pytest

from tests.engine.conftest import fake_engine, start_fake_engine
from tests.tui.widgets.colour_terminal import ColourTerminal

__all__ = ["fake_engine", "start_fake_engine"]

_SIZES = 40


def is_whole(text: str, columns: int, lines: int) -> bool:
    """Whether the frames of the screen's parts close, up to its edges, each in its own lines."""
    rows = [row.ljust(columns) for row in text.split("\n")]
    framed = rows[1:-2]
    return (
        len(rows) == lines
        and all(row[0] in "╭│╰" and row[-1] in "╮│╯" for row in framed)
        and sum(row.count("╭") for row in rows) == sum(row.count("╯") for row in rows)
        and " sdtui" in rows[0]
        and "engine" in rows[0]
        and "generate" in rows[-1]
    )


@pytest.mark.usefixtures("fake_engine")
def test_the_screen_is_whole_after_many_sizes_in_a_running_job() -> None:
    chance = random.Random(3)
    command = [sys.executable, "-m", "sdtui"]
    with ColourTerminal(command, columns=100, lines=30) as terminal:
        terminal.wait_for("/77")
        terminal.send("pause=0.05")
        terminal.wait_for("pause=0.05")
        for keys, shown in (
            ("\t", "‹pocket›"),
            ("\x1b[B\x1b[B", "‹25›"),
            ("200", "200▏"),
            ("\r", "‹200›"),
            ("\r", "x0 at step"),
        ):
            terminal.send(keys)
            terminal.wait_for(shown)
        for number in range(_SIZES):
            terminal.resize(chance.randint(60, 200), chance.randint(20, 60))
            terminal.watch(chance.uniform(0, 0.1))
            if number % 8 == 7:
                terminal.send(chance.choice(["l", "s"]))
        terminal.resize(40, 12)
        terminal.wait_for("too small")
        for columns, lines in ((160, 48), (60, 20)):
            terminal.resize(columns, lines)
            terminal.wait_for(lambda text: is_whole(text, columns, lines))  # noqa: B023
        terminal.send("\x11")
        assert terminal.wait_for_exit() == 0
