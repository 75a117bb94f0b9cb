"""Rows of the history: any prompt in four lines of equal width."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.segment import Segment
from rich.style import Style

from sdtui.params import GenerationParams
from sdtui.tui.stills import cells, still
from sdtui.tui.widgets.picture_row import THUMBNAIL_COLUMNS, THUMBNAIL_ROWS, RowPainter
from tests.tui.fake_engine import past_pictures, png

PLAIN = Style.null()


def painter(width: int) -> RowPainter:
    return RowPainter(
        width=width, ground=PLAIN, prompt=PLAIN, figures=PLAIN, gone=PLAIN, sign=Segment("┃")
    )


def row(prompt: str, width: int) -> list[str]:
    (picture,) = past_pictures(1, params=GenerationParams(prompt=prompt))
    return [strip.text for strip in painter(width).row(picture, [])]


@pytest.mark.parametrize(
    ("prompt", "first", "second"),
    [
        ("a fox", "a fox", ""),
        ("a red apple on blue", "a red apple", "on blue"),
        ("a red apple on a blue background", "a red apple", "on a blue b…"),
        ("x" * 30, "x" * 12, "x" * 11 + "…"),
        ("りんごと青い背景のりんご", "りんごと青い", "背景のりんご"),
        ("a [red]fox[/]", "a", "[red]fox[/]"),
        ("❤️❤️❤️❤️❤️❤️❤️", "❤️" * 6, "❤️"),
    ],
)
def test_a_prompt_is_broken_between_words(prompt: str, first: str, second: str) -> None:
    lines = row(prompt, 12 + 13)
    assert [line[12:].rstrip() for line in lines[:2]] == [first, second]


@pytest.mark.parametrize(
    ("width", "figures"),
    [
        (20, "seed 42"),
        (40, "seed 42 · 128×128"),
        (41, "seed 42 · 128×128 · 25 UniPC"),
        (80, "seed 42 · 128×128 · 25 UniPC"),
    ],
)
def test_no_figure_is_cut_in_the_middle(width: int, figures: str) -> None:
    (picture,) = past_pictures(1)
    lines = [strip.text for strip in painter(width).row(picture, [])]
    assert lines[2][12:].rstrip() == figures


EMOJI = st.lists(st.sampled_from(["❤️", "☀️", "1️⃣", "👩‍🚀", "a ", "x", "り"]), max_size=60)


@given(
    prompt=(st.text(st.characters(exclude_categories=["Cs"])) | EMOJI.map("".join)).filter(
        str.strip
    ),
    width=st.integers(1, 120),
)
@example(prompt="a red heart ❤️ on a blue sky, a sun ☀️ there", width=12 + 43)
def test_every_line_is_as_wide_as_the_list(prompt: str, width: int) -> None:
    (picture,) = past_pictures(1, params=GenerationParams(prompt=prompt))
    strips = painter(width).row(picture, [])
    assert len(strips) == THUMBNAIL_ROWS
    assert {strip.cell_length for strip in strips} == {width}
    assert not set("\x1b\n\r\x9b") & set("".join(strip.text for strip in strips))


@pytest.mark.parametrize(
    ("size", "expected"), [((96, 96), (8, 4)), ((96, 24), (8, 1)), ((6, 96), (1, 4))]
)
def test_a_thumbnail_stands_in_the_middle_with_its_aspect(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    picture = png(*size, 0)
    columns, rows = cells(picture, THUMBNAIL_COLUMNS, THUMBNAIL_ROWS)
    assert (columns, rows) == expected
    (known,) = past_pictures(1)
    lines = [strip.text[2:10] for strip in painter(40).row(known, still(picture, columns, rows))]
    drawn = [line for line in lines if "▄" in line]
    assert drawn == [("▄" * columns).center(8)] * rows
    above = (THUMBNAIL_ROWS - rows) // 2
    assert lines[above : above + rows] == drawn
