"""Half blocks: every cell has the colours of its two pixels, however the line is cut."""

from __future__ import annotations

import random
import re
import unicodedata

import numpy as np
import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.style import Style
from textual.strip import Strip

from sdtui.tui.renderers import Frame, Renderer, fit
from sdtui.tui.renderers.ascii_ramp import RAMP, AsciiRamp
from sdtui.tui.renderers.blocks import Blocks
from sdtui.tui.renderers.half_blocks import HalfBlocks
from sdtui.tui.renderers.palettes import EIGHT_BIT, STANDARD, Palette
from sdtui.tui.renderers.quadrants import Quadrants
from sdtui.tui.renderers.scaling import scaled
from sdtui.tui.renderers.sextants import Sextants

CONSOLE = Console(color_system="truecolor", force_terminal=True)
Pixel = tuple[int, int, int]


def noise(width: int, height: int, seed: int = 0) -> Frame:
    """A picture of which no two pixels are alike."""
    return Frame(random.Random(seed).randbytes(width * height * 3), width, height)


def drawn(renderer: Renderer, frame: Frame, columns: int, rows: int) -> list[Strip]:
    """The frame as the compositor gets it."""
    renderer.draw(frame, columns, rows)
    return list(renderer.strips())


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


def colours_of(renderer: Blocks, columns: int) -> np.ndarray:
    """The pixels as the compositor would paint them: (cells, pixels of a cell, RGB)."""
    cells = []
    for strip in renderer.strips():
        for segment in strip.crop(0, columns):
            shape = renderer.CHARACTERS.index(segment.text)
            ink, paper = segment.style.color.triplet, segment.style.bgcolor.triplet
            bits = range(renderer.WIDE * renderer.HIGH)
            cells.append([ink if shape >> bit & 1 else paper for bit in bits])
    return np.array(cells, dtype=int)


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

    wide, high = fit(width, height, columns, rows)
    strips = drawn(renderer, noise(width, height), wide, high)

    assert 1 <= wide <= columns
    assert 1 <= high <= rows
    assert [strip.cell_length for strip in strips] == [wide] * high
    assert all(strip.render(CONSOLE) for strip in strips)


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

    strips = drawn(HalfBlocks(), frame, columns, rows)

    assert_shows(shown(strips, columns), frame, columns, rows)


def test_a_picture_grows_smoothly_and_shrinks_to_the_mean() -> None:
    steps = Frame(bytes([0, 0, 0, 255, 255, 255]), 2, 1)

    grown = scaled(steps, 8, 1)
    shrunk = scaled(steps, 1, 1)

    reds = [grown.getpixel((x, 0))[0] for x in range(8)]
    assert reds == sorted(reds)
    assert reds[0] == 0
    assert reds[-1] == 255
    assert len(set(reds)) > 4
    assert shrunk.getpixel((0, 0)) == pytest.approx((128, 128, 128), abs=1)


def test_a_colour_is_sent_only_where_it_changes() -> None:
    [line] = drawn(HalfBlocks(), flat((10, 20, 30)), 60, 1)

    assert line.render(CONSOLE) == "\x1b[48;2;10;20;30m" + " " * 60 + "\x1b[0m"


@settings(deadline=None, max_examples=60)
@given(
    cuts=st.lists(st.integers(1, 40), min_size=1, max_size=6, unique=True).map(sorted),
    system=st.sampled_from(["truecolor", "256", "standard"]),
)
def test_a_line_cut_anywhere_shows_what_it_showed_whole(cuts: list[int], system: str) -> None:
    [line] = drawn(HalfBlocks(system), noise(40, 2), 40, 1)

    parts = line.divide([*cuts, 40] if cuts[-1] != 40 else cuts)
    whole = shown([line], 40)
    joined = pyte.Screen(40, 1)
    pyte.Stream(joined).feed("".join(part.render(CONSOLE) for part in parts))

    assert sum(part.cell_length for part in parts) == 40
    for column in range(40):
        assert pixels_of(joined, column, 0) == pixels_of(whole, column, 0)


@given(start=st.integers(-3, 45), end=st.integers(-3, 45))
def test_a_crop_is_the_cells_between_its_bounds(start: int, end: int) -> None:
    [line] = drawn(HalfBlocks(), noise(40, 2), 40, 1)

    part = line.crop(start, end)

    expected = range(40)[max(start, 0) : max(end, 0)]
    assert part.cell_length == len(expected)
    if expected:
        whole, cropped = shown([line], 40), shown([part], len(expected))
        for place, column in enumerate(expected):
            assert pixels_of(cropped, place, 0) == pixels_of(whole, column, 0)


def test_ordinary_segments_tell_the_same_colours_as_the_encoded_line() -> None:
    [line] = drawn(HalfBlocks(), noise(40, 2), 40, 1)

    ordinary = Strip(list(line))

    encoded, styled = shown([line], 40), shown([ordinary], 40)
    for column in range(40):
        assert pixels_of(encoded, column, 0) == pixels_of(styled, column, 0)


def test_a_line_joins_its_neighbours_for_an_export() -> None:
    [line] = drawn(HalfBlocks(), noise(5, 2), 5, 1)

    joined = Strip.join([Strip.blank(2), line.crop(1, 4), Strip.blank(1)])

    assert joined.cell_length == 6
    assert joined.text == "  ▀▀▀ "


@pytest.mark.parametrize(
    ("system", "off"), [("256", 40), ("standard", 45)], ids=["256 colours", "16 colours"]
)
@pytest.mark.parametrize(
    "colour", [(0, 0, 0), (255, 255, 255), (200, 30, 40), (20, 160, 90), (120, 120, 130)]
)
def test_few_colours_come_near_on_the_whole(system: str, off: int, colour: Pixel) -> None:
    palette = {"256": EIGHT_BIT, "standard": STANDARD}[system]

    lines = palette.numbers(np.full((4, 4, 3), colour, dtype=np.uint8), 0)

    mean = np.mean([palette.rgb[number] for number in lines.flat], axis=0)
    assert mean == pytest.approx(colour, abs=off)


@pytest.mark.parametrize("palette", [EIGHT_BIT, STANDARD], ids=["256 colours", "16 colours"])
@pytest.mark.parametrize("colour", [(255, 255, 255), (250, 253, 249), (3, 0, 6)])
def test_a_plain_ground_that_a_colour_comes_close_to_stays_plain(
    palette: Palette, colour: Pixel
) -> None:
    lines = palette.numbers(np.full((8, 8, 3), colour, dtype=np.uint8), 0)
    assert len(np.unique(lines)) == 1


def test_the_dither_leaves_cells_alone_whose_pixels_stay() -> None:
    renderer = HalfBlocks("256")
    before = noise(16, 16)
    after = Frame(before.rgb[:-3] + bytes(3), 16, 16)
    drawn(renderer, before, 16, 8)

    renderer.draw(after, 16, 8)

    assert len(re.findall(r"\x1b\[\d+;\d+H", renderer.changes(0, 0) or "")) == 1


@pytest.mark.parametrize("system", ["truecolor", "256", "standard"])
def test_an_export_has_every_colour_whatever_the_terminal_has(system: str) -> None:
    [line] = drawn(HalfBlocks(system), flat((200, 10, 20)), 3, 1)

    colours = {segment.style.bgcolor.triplet for segment in line.crop(1, 2)}

    assert colours == {(200, 10, 20)}


def test_16_colours_use_no_other_codes() -> None:
    strips = drawn(HalfBlocks("standard"), noise(40, 40), 40, 20)

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
    [line] = drawn(HalfBlocks("standard"), flat(colour), 3, 1)

    assert line.render(CONSOLE) == f"\x1b[{code}m   \x1b[0m"


@pytest.mark.parametrize(("dark", "brightest"), [(True, "@"), (False, " ")])
def test_without_colour_the_picture_is_a_ramp_of_characters(dark: bool, brightest: str) -> None:
    frame = Frame(bytes(value for value in range(256) for _ in range(3)), 256, 1)

    [line] = drawn(AsciiRamp(Style(), dark=dark), frame, 10, 1)

    assert line.text == (RAMP if dark else RAMP[::-1])
    assert line.text[-1] == brightest


def test_a_frame_with_too_few_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="4×4 with 47 bytes"):
        Frame(bytes(47), 4, 4)


@settings(deadline=None, max_examples=40)
@given(
    seeds=st.lists(st.integers(0, 5), min_size=1, max_size=4),
    tolerance=st.sampled_from([0, 8, 60, 200]),
    system=st.sampled_from(["truecolor", "256", "standard"]),
    kind=st.sampled_from([HalfBlocks, Quadrants, Sextants]),
)
def test_changes_make_the_terminal_what_the_compositor_would_paint(
    seeds: list[int], tolerance: int, system: str, kind: type[Blocks]
) -> None:
    columns, rows = 12, 5
    renderer = kind(system)
    renderer.draw(noise(12, 10, 99), columns, rows)
    terminal = pyte.Screen(columns + 3, rows + 2)
    stream = pyte.Stream(terminal)
    for row, strip in enumerate(renderer.strips()):
        stream.feed(f"\x1b[{row + 3};4H{strip.render(CONSOLE)}")

    for seed in seeds:
        renderer.draw(noise(12, 10, seed), columns, rows, tolerance)
        stream.feed(renderer.changes(3, 2) or "")

    painted = shown(list(renderer.strips()), columns)
    for row in range(rows):
        for column in range(columns):
            ours = terminal.buffer[row + 2][column + 3]
            theirs = painted.buffer[row][column]
            assert (ours.data, ours.bg) == (theirs.data, theirs.bg)
            assert ours.data == " " or ours.fg == theirs.fg


@settings(deadline=None, max_examples=40)
@given(
    tolerance=st.sampled_from([0, 8, 40]),
    kind=st.sampled_from([HalfBlocks, Quadrants, Sextants]),
    seed=st.integers(0, 1000),
)
def test_no_cell_is_further_from_its_frame_than_the_tolerance_and_the_motion(
    tolerance: int, kind: type[Blocks], seed: int
) -> None:
    columns, rows = 12, 5
    moves = np.random.default_rng(seed)
    renderer, fitted = kind(), kind()
    rgb = moves.integers(0, 256, (rows * kind.HIGH, columns * kind.WIDE, 3))
    for reach in (0, 3, 9, 30, 3, 60, 3):
        before = colours_of(renderer, columns) if reach else None
        rgb = (rgb + moves.integers(-reach, reach + 1, rgb.shape)).clip(0, 255)
        frame = Frame(rgb.astype(np.uint8).tobytes(), rgb.shape[1], rgb.shape[0])
        renderer.draw(frame, columns, rows, tolerance)
        fitted.draw(frame, columns, rows)

        off = np.abs(colours_of(renderer, columns) - colours_of(fitted, columns))

        moved = 0 if before is None else np.abs(before - colours_of(fitted, columns)).mean()
        assert off.max() <= tolerance + min(moved + 0.5, 3 * tolerance)


def test_what_one_does_not_see_is_not_sent() -> None:
    renderer = HalfBlocks()
    renderer.draw(flat((100, 100, 100)), 20, 10)
    renderer.draw(flat((104, 100, 96)), 20, 10, 8)

    assert renderer.changes(0, 0) == ""


@pytest.mark.parametrize("kind", [Quadrants, Sextants])
def test_two_colours_in_a_cell_are_shown_as_they_are(kind: type[Blocks]) -> None:
    black, white = (10, 20, 30), (200, 210, 220)
    for shape in range(2 ** (kind.WIDE * kind.HIGH)):
        pixels = [white if shape >> bit & 1 else black for bit in range(kind.WIDE * kind.HIGH)]
        frame = Frame(bytes(value for pixel in pixels for value in pixel), kind.WIDE, kind.HIGH)

        [line] = drawn(kind(), frame, 1, 1)

        [segment] = line
        ink, paper = segment.style.color.triplet, segment.style.bgcolor.triplet
        bits = kind.CHARACTERS.index(segment.text)
        shown_pixels = [ink if bits >> bit & 1 else paper for bit in range(kind.WIDE * kind.HIGH)]
        assert [tuple(pixel) for pixel in shown_pixels] == pixels


def test_the_characters_of_the_sextants_are_those_of_unicode() -> None:
    for shape, character in enumerate(Sextants.CHARACTERS):
        name = unicodedata.name(character)
        if name.startswith("BLOCK SEXTANT-"):
            places = {int(digit) - 1 for digit in name.removeprefix("BLOCK SEXTANT-")}
            assert shape == sum(1 << place for place in places)


def test_a_picture_that_is_too_much_at_once_comes_little_by_little() -> None:
    columns, rows, most = 40, 20, 3_000
    frame = noise(40, 40)
    renderer = HalfBlocks()
    screen = pyte.Screen(columns, rows)
    stream = pyte.Stream(screen)

    renderer.draw(frame, columns, rows, most=most)
    sketch = "\r\n".join(strip.render(CONSOLE) for strip in renderer.strips())
    assert len(sketch) < 3 * most
    stream.feed(sketch)
    assert not renderer.is_whole

    parts = 0
    while not renderer.is_whole:
        renderer.draw(frame, columns, rows, most=most)
        part = renderer.changes(0, 0)
        assert len(part.encode()) < 2 * most
        stream.feed(part)
        parts += 1

    assert parts > 3
    whole = shown(drawn(HalfBlocks(), frame, columns, rows), columns)
    for row in range(rows):
        for column in range(columns):
            assert pixels_of(screen, column, row) == pixels_of(whole, column, row)


def test_of_too_many_changes_the_greatest_come_first() -> None:
    before, after = flat((50, 50, 50), 10, 20), bytearray(bytes((70, 70, 70)) * 200)
    after[3 * 10 * 8 : 3 * 10 * 9] = bytes((250, 0, 250)) * 10
    renderer = HalfBlocks()
    drawn(renderer, before, 10, 10)

    renderer.draw(Frame(bytes(after), 10, 20), 10, 10, most=300)

    assert not renderer.is_whole
    screen = shown(list(renderer.strips()), 10)
    assert {pixels_of(screen, column, 4)[0] for column in range(10)} == {"fa00fa"}
    assert {pixels_of(screen, column, 0)[0] for column in range(10)} == {"323232"}
