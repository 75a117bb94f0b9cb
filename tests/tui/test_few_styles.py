"""What is sent with few styles looks as it did with many."""

from __future__ import annotations

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdtui.tui.few_styles import with_few_styles

COLUMNS, LINES = 30, 4

colours = "31 44 92 101 38;5;200 48;5;17 38;2;1;2;3 38;2;1;2;4 48;2;9;8;7 39 49"
codes = st.sampled_from(["1", "3", "4", "7", "9", *colours.split()])
styled = st.tuples(
    st.lists(codes, max_size=4).map(";".join), st.text("ab ▀", max_size=6), st.booleans()
)
moved = st.tuples(st.integers(1, LINES), st.integers(1, COLUMNS - 6))
written = st.lists(
    st.one_of(
        styled.map(lambda piece: f"\x1b[{piece[0]}m{piece[1]}" + "\x1b[0m" * piece[2]),
        moved.map(lambda place: f"\x1b[{place[0]};{place[1]}H"),
    ),
    max_size=30,
)


def seen(text: str) -> list[tuple[object, ...]]:
    """Each cell as an eye sees it: a space has no ink unless it is lined or reversed."""
    screen = pyte.Screen(COLUMNS, LINES)
    pyte.Stream(screen).feed(text)
    cells = []
    for row in range(LINES):
        for column in range(COLUMNS):
            cell = screen.buffer[row][column]
            lined = (cell.underscore, cell.strikethrough, cell.reverse)
            ink = (cell.fg, cell.bold, cell.italics) if cell.data != " " or any(lined) else None
            cells.append((cell.data, ink, cell.bg, *lined))
    return cells


@given(written)
def test_every_cell_looks_the_same(pieces: list[str]) -> None:
    text = "".join(pieces) + "\x1b[0m"
    few = with_few_styles(text)

    assert seen(few) == seen(text)
    assert len(few) <= len(text)
    # What is written next begins without a style.
    assert seen(few + "\x1b[1;1Hx") == seen(text + "\x1b[1;1Hx")


def test_a_style_that_stays_is_sent_once() -> None:
    label = "\x1b[38;2;9;9;9;48;2;1;1;1m"
    text = f"{label}a\x1b[0m{label}b\x1b[0m\x1b[2;5H{label}c\x1b[0m"

    assert with_few_styles(text) == f"{label}ab\x1b[2;5Hc\x1b[0m"


def test_the_ink_of_spaces_is_not_sent() -> None:
    text = "\x1b[31;44ma\x1b[0m\x1b[32;44m  \x1b[0m\x1b[31;44mb\x1b[0m"

    assert with_few_styles(text) == "\x1b[31;44ma  b\x1b[0m"


@pytest.mark.parametrize("parameters", ["38", "48;2;1", "58;2;30;40;50", "58;5;3"])
def test_colours_of_lines_and_broken_ones_touch_neither_ink_nor_paper(parameters: str) -> None:
    text = f"\x1b[31ma\x1b[0m\x1b[{parameters}mb\x1b[0mc\x1b[32md\x1b[0m"
    sent = with_few_styles(text)
    assert sent.endswith("c\x1b[32md\x1b[0m")
    assert parameters in sent
