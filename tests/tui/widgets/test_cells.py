"""Cells are written with a colour where it changes, after their moves."""

from __future__ import annotations

import numpy as np
import pytest

from sdtui.tui.renderers.cells import TRUECOLOR, Cells, Codes, texts

FEW = Codes.of(["30", "31", "97"], ["40", "41", "107"])
CHARACTERS = " ▀▄█"


def cells(shape: list[int], ink: list[int], paper: list[int]) -> Cells:
    """Cells whose true colours are those of the codes."""
    arrays = [np.array(numbers, dtype=np.int32) for numbers in (shape, ink, paper)]
    return Cells(CHARACTERS, *arrays, arrays[1], arrays[2])


@pytest.mark.parametrize(
    ("shape", "ink", "paper", "written"),
    [
        ([], [], [], ""),
        ([1], [1], [2], "\x1b[31;107m▀\x1b[0m"),
        ([1, 1, 1], [1, 1, 1], [2, 2, 2], "\x1b[31;107m▀▀▀\x1b[0m"),
        ([1, 2], [1, 0], [2, 2], "\x1b[31;107m▀\x1b[30m▄\x1b[0m"),
        ([1, 3], [1, 1], [2, 0], "\x1b[31;107m▀\x1b[40m█\x1b[0m"),
        # Over a space, no ink is written, and the one before it stays on.
        ([0, 1], [1, 2], [2, 2], "\x1b[107m \x1b[97m▀\x1b[0m"),
        ([1, 0, 1], [1, 2, 1], [0, 0, 0], "\x1b[31;40m▀ ▀\x1b[0m"),
        ([0, 0], [1, 2], [0, 1], "\x1b[40m \x1b[41m \x1b[0m"),
    ],
)
def test_a_colour_is_written_where_another_was_before(
    shape: list[int], ink: list[int], paper: list[int], written: str
) -> None:
    assert cells(shape, ink, paper).written(FEW) == written


def test_true_colours_are_their_three_levels() -> None:
    written = cells([1], [0x0A00FF], [0x000000]).written(TRUECOLOR)
    assert written == "\x1b[38;2;10;0;255;48;2;0;0;0m▀\x1b[0m"


def test_each_move_comes_before_its_cell() -> None:
    moves = texts(["\x1b[2;3H", "", "\x1b[12C"])
    written = cells([1, 1, 1], [1, 1, 0], [0, 0, 0]).written(FEW, moves)
    assert written == "\x1b[2;3H\x1b[31;40m▀▀\x1b[12C\x1b[30m▀\x1b[0m"


def test_a_part_is_written_as_if_it_were_alone() -> None:
    row = cells([1, 1, 2, 0], [0, 1, 1, 2], [2, 2, 2, 0])
    parts = [row.part(0, 2), row.part(2, 4), row.part(3, 3)]
    assert [part.written(FEW) for part in parts] == [
        "\x1b[30;107m▀\x1b[31m▀\x1b[0m",
        "\x1b[31;107m▄\x1b[40m \x1b[0m",
        "",
    ]
