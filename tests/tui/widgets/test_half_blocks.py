"""Half blocks: every cell has the colours of its two pixels, however the line is cut."""

from __future__ import annotations

import random
import re

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.style import Style
from textual.strip import Strip

from sdtui.tui.renderers import Frame
from sdtui.tui.renderers.ascii_ramp import RAMP, AsciiRamp
from sdtui.tui.renderers.half_blocks import HalfBlocks, fit, scaled
from sdtui.tui.renderers.palettes import EIGHT_BIT

CONSOLE = Console(color_system="truecolor", force_terminal=True)
Pixel = tuple[int, int, int]


def noise(width: int, height: int, seed: int = 0) -> Frame:
    """A picture of which no two pixels are alike."""
    return Frame(random.Random(seed).randbytes(width * height * 3), width, height)


def flat(colour: Pixel, width: int = 4, height: int = 4) -> Frame:
    """A picture of one colour."""
    return Frame(bytes(colour) * (width * height), width, height)


def shown(strips: list[Strip], columns: int) -> pyte.Screen:
    """What a terminal makes of the lines."""
    screen = pyte.Screen(columns, len(strips))
    stream = pyte.Stream(screen)
    stream.feed("\r\n".join(strip.render(CONSOLE) for strip in strips))
    return screen


def pixels_of(screen: pyte.Screen, column: int, row: int) -> tuple[str, str]:
    """The upper and lower pixel of a cell, as hex."""
    cell = screen.buffer[row][column]
    return (cell.bg, cell.bg) if cell.data == " " else (cell.fg, cell.bg)


def assert_shows(screen: pyte.Screen, frame: Frame, columns: int, rows: int) -> None:
    picture = scaled(frame, columns, rows * 2)
    for row in range(rows):
        for column in range(columns):
            upper, lower = (
                "{:02x}{:02x}{:02x}".format(*picture.getpixel((column, row * 2 + half)))
                for half in (0, 1)
            )
            assert pixels_of(screen, column, row) == (upper, lower), (column, row)


@settings(deadline=None, max_examples=60)
@given(
    width=st.integers(1, 200),
    height=st.integers(1, 200),
    columns=st.integers(1, 120),
    rows=st.integers(1, 60),
    system=st.sampled_from(["truecolor", "256", "standard", "windows", None]),
)
def test_any_picture_fits_any_pane(
    width: int, height: int, columns: int, rows: int, system: str | None
) -> None:
    renderer = HalfBlocks(system)

    wide, high = renderer.fit(width, height, columns, rows)
    strips = renderer.strips(noise(width, height), wide, high)

    assert 1 <= wide <= columns
    assert 1 <= high <= rows
    assert [strip.cell_length for strip in strips] == [wide] * high
    assert all(strip.render(CONSOLE) for strip in strips)


def test_a_pane_without_cells_shows_no_lines() -> None:
    assert HalfBlocks().strips(noise(8, 8), 0, 5) == []
    assert HalfBlocks().strips(noise(8, 8), 5, 0) == []


@pytest.mark.parametrize(
    ("picture", "pane", "cells"),
    [
        ((128, 128), (48, 44), (48, 24)),
        ((128, 128), (100, 20), (40, 20)),
        ((512, 768), (60, 30), (40, 30)),
        ((16, 16), (64, 32), (64, 32)),
        ((200, 1), (10, 10), (10, 1)),
        ((1, 200), (10, 10), (1, 10)),
    ],
)
def test_the_picture_keeps_its_aspect_in_cells_twice_as_high_as_wide(
    picture: tuple[int, int], pane: tuple[int, int], cells: tuple[int, int]
) -> None:
    assert fit(*picture, *pane) == cells


@pytest.mark.parametrize(("columns", "rows"), [(31, 17), (64, 32), (7, 3), (1, 1)])
def test_every_cell_has_the_colours_of_its_two_pixels(columns: int, rows: int) -> None:
    frame = noise(33, 29)

    strips = HalfBlocks().strips(frame, columns, rows)

    assert_shows(shown(strips, columns), frame, columns, rows)


def test_a_picture_grows_crisp_and_shrinks_to_the_mean() -> None:
    checks = Frame(bytes([0, 0, 0, 255, 255, 255] * 2), 2, 2)

    grown = scaled(checks, 4, 4)
    shrunk = scaled(checks, 1, 1)

    assert {grown.getpixel((x, y)) for x in range(4) for y in range(4)} == {
        (0, 0, 0),
        (255, 255, 255),
    }
    assert shrunk.getpixel((0, 0)) == pytest.approx((128, 128, 128), abs=1)


def test_a_colour_is_sent_only_where_it_changes() -> None:
    [line] = HalfBlocks().strips(flat((10, 20, 30)), 60, 1)

    assert line.render(CONSOLE) == "\x1b[48;2;10;20;30m" + " " * 60 + "\x1b[0m"


@settings(deadline=None, max_examples=60)
@given(
    cuts=st.lists(st.integers(1, 40), min_size=1, max_size=6, unique=True).map(sorted),
    system=st.sampled_from(["truecolor", "256", "standard"]),
)
def test_a_line_cut_anywhere_shows_what_it_showed_whole(cuts: list[int], system: str) -> None:
    [line] = HalfBlocks(system).strips(noise(40, 2), 40, 1)

    parts = line.divide([*cuts, 40] if cuts[-1] != 40 else cuts)
    whole = shown([line], 40)
    joined = pyte.Screen(40, 1)
    pyte.Stream(joined).feed("".join(part.render(CONSOLE) for part in parts))

    assert sum(part.cell_length for part in parts) == 40
    for column in range(40):
        assert pixels_of(joined, column, 0) == pixels_of(whole, column, 0)


@given(start=st.integers(-3, 45), end=st.integers(-3, 45))
def test_a_crop_is_the_cells_between_its_bounds(start: int, end: int) -> None:
    [line] = HalfBlocks().strips(noise(40, 2), 40, 1)

    part = line.crop(start, end)

    expected = range(40)[max(start, 0) : max(end, 0)]
    assert part.cell_length == len(expected)
    if expected:
        whole, cropped = shown([line], 40), shown([part], len(expected))
        for place, column in enumerate(expected):
            assert pixels_of(cropped, place, 0) == pixels_of(whole, column, 0)


def test_ordinary_segments_tell_the_same_colours_as_the_encoded_line() -> None:
    [line] = HalfBlocks().strips(noise(40, 2), 40, 1)

    ordinary = Strip(list(line))

    encoded, styled = shown([line], 40), shown([ordinary], 40)
    for column in range(40):
        assert pixels_of(encoded, column, 0) == pixels_of(styled, column, 0)


def test_a_line_joins_its_neighbours_for_an_export() -> None:
    [line] = HalfBlocks().strips(noise(5, 2), 5, 1)

    joined = Strip.join([Strip.blank(2), line.crop(1, 4), Strip.blank(1)])

    assert joined.cell_length == 6
    assert joined.text == "  ▀▀▀ "


@pytest.mark.parametrize(
    "colour", [(0, 0, 0), (255, 255, 255), (200, 30, 40), (20, 160, 90), (120, 120, 130)]
)
def test_256_colours_come_near(colour: Pixel) -> None:
    [line] = HalfBlocks("256").strips(flat(colour), 3, 1)

    rendered = line.render(CONSOLE)
    [index] = {int(code) for code in re.findall(r"48;5;(\d+)", rendered)}

    assert ";2;" not in rendered
    assert EIGHT_BIT.rgb[index - 16] == pytest.approx(colour, abs=40)


@pytest.mark.parametrize("system", ["truecolor", "256", "standard"])
def test_an_export_has_every_colour_whatever_the_terminal_has(system: str) -> None:
    [line] = HalfBlocks(system).strips(flat((200, 10, 20)), 3, 1)

    colours = {segment.style.bgcolor.triplet for segment in line.crop(1, 2)}

    assert colours == {(200, 10, 20)}


def test_16_colours_use_no_other_codes() -> None:
    strips = HalfBlocks("standard").strips(noise(40, 40), 40, 20)

    codes = {
        int(code)
        for strip in strips
        for sequence in re.findall(r"\x1b\[([\d;]*)m", strip.render(CONSOLE))
        for code in sequence.split(";")
    }

    allowed = {0, *range(30, 38), *range(40, 48), *range(90, 98), *range(100, 108)}
    assert codes <= allowed


@pytest.mark.parametrize(
    ("colour", "code"),
    [((0, 0, 0), 40), ((170, 0, 0), 41), ((255, 255, 255), 107), ((85, 255, 85), 102)],
)
def test_16_colours_keep_the_colours_that_they_have(colour: Pixel, code: int) -> None:
    [line] = HalfBlocks("standard").strips(flat(colour), 3, 1)

    assert line.render(CONSOLE) == f"\x1b[{code}m   \x1b[0m"


@pytest.mark.parametrize(("dark", "brightest"), [(True, "@"), (False, " ")])
def test_without_colour_the_picture_is_a_ramp_of_characters(dark: bool, brightest: str) -> None:
    frame = Frame(bytes(value for value in range(256) for _ in range(3)), 256, 1)

    [line] = AsciiRamp(Style(), dark=dark).strips(frame, 10, 1)

    assert line.text == (RAMP if dark else RAMP[::-1])
    assert line.text[-1] == brightest


def test_a_frame_with_too_few_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="4×4 with 47 bytes"):
        Frame(bytes(47), 4, 4)
