"""Over a slow link, a Sixel picture comes in bands: keys get between, and all of it arrives."""

from __future__ import annotations

import random
from math import inf

import numpy as np
import pyte
import pytest
from rich.console import Console
from textual.app import App
from textual.pilot import Pilot

from sdtui.tui.renderers import Frame
from sdtui.tui.renderers.scaling import scaled
from sdtui.tui.renderers.sixel import Sixel
from sdtui.tui.widgets.pixel_canvas import PixelCanvas
from sdtui.tui.widgets.preview import Preview
from tests.tui.slow_terminal import ROUND_TRIP, SlowTerminal
from tests.tui.widgets.sixel_screen import SixelScreen

CELL = (10, 20)
COLUMNS, ROWS = 64, 32
CONSOLE = Console(color_system="truecolor", force_terminal=True)


def noise(side: int) -> Frame:
    return Frame(random.Random(side).randbytes(side * side * 3), side, side)


def painting(side: int = 128) -> Frame:
    """Soft fields of colour, as pictures have them."""
    picture = scaled(noise(7), side, side)
    return Frame(picture.tobytes(), side, side)


def off(screen: SixelScreen, frame: Frame) -> np.ndarray:
    """How far each pixel that the screen can show is from the frame."""
    height, width = screen.pixels.shape[:2]
    # Fewer lines than six below the last line of sixels are the cells'.
    lines = height - height % 6
    wanted = np.asarray(scaled(frame, width, height))[:lines].astype(int)
    shown = screen.pixels[:lines]
    assert shown.min() >= 0, "a part never came"
    return np.abs(shown - wanted)


def shown_over(rate: float, frame: Frame, cell: tuple[int, int] = CELL) -> SixelScreen:
    """A finished picture, each part of which is sent when the one before it has been taken."""
    terminal = SlowTerminal(rate)
    for _ in range(10):
        terminal.take(20_000)
    renderer, screen = Sixel(cell), SixelScreen(COLUMNS, ROWS, cell)
    renderer.draw(frame, COLUMNS, ROWS)
    while not renderer.is_sent:
        sent = renderer.changes(0, 0, terminal.in_transit.allowance) or ""
        screen.show(sent)
        # A key that is typed right behind a part is echoed when that has come.
        assert terminal.take(len(sent)) <= ROUND_TRIP + 0.4
    return screen


@pytest.mark.parametrize("cell", [CELL, (8, 18), (7, 17)])
@pytest.mark.parametrize("rate", [50_000, 250_000])
@pytest.mark.parametrize("frame", [painting(), noise(512)])
def test_no_part_of_a_picture_keeps_a_key_waiting_for_long_and_all_come(
    cell: tuple[int, int], rate: float, frame: Frame
) -> None:
    screen = shown_over(rate, frame, cell)

    assert 1 < screen.images <= 12
    assert off(screen, frame).mean() < (8 if frame.width == 128 else 80)


def test_a_picture_that_the_link_takes_in_at_once_is_one_image() -> None:
    renderer, screen = Sixel(CELL), SixelScreen(COLUMNS, ROWS, CELL)
    renderer.draw(painting(), COLUMNS, ROWS)

    screen.show(renderer.changes(0, 0) or "")

    assert renderer.is_sent
    assert screen.images == 1


def test_the_quicker_link_shows_the_finer_picture() -> None:
    frame = noise(128)
    slow, quick, quickest = (
        off(shown_over(rate, frame), frame).mean() for rate in (50_000, 100_000, 10_000_000)
    )
    assert slow > quick > quickest


def test_only_the_bands_are_sent_again_that_something_was_painted_over() -> None:
    renderer, screen = Sixel(CELL), SixelScreen(COLUMNS, ROWS, CELL)
    renderer.draw(painting(), COLUMNS, ROWS, 0, 4_000)
    strips = renderer.strips()
    while not renderer.is_sent:
        screen.show(renderer.overlay(0, 0, 4_000))
    assert renderer.overlay(0, 0, 4_000) == ""

    screen.pixels[5 * CELL[1] : 6 * CELL[1]] = -1
    strips[5].crop(3, 9).render(CONSOLE)
    before = screen.images
    screen.show(renderer.overlay(0, 0, 4_000))

    assert screen.images == before + 1
    assert off(screen, painting()).mean() < 8


class Wire:
    """What a preview writes past the compositor, to a link that takes `allowance` at once."""

    def __init__(self, pilot: Pilot[None], allowance: float) -> None:
        self.parts: list[str] = []
        driver = pilot.app._driver
        driver.write = self._write  # type: ignore[method-assign,union-attr]
        driver.allowance = allowance  # type: ignore[union-attr]
        driver.is_held = False  # type: ignore[union-attr]
        self.driver = driver

    def _write(self, data: str) -> None:
        if "\x1bP" in data:
            self.parts.append(data)


@pytest.fixture
def preview(monkeypatch: pytest.MonkeyPatch) -> Preview:
    """A preview in Sixel."""
    monkeypatch.setenv("SDTUI_RENDERER", "sixel")
    return Preview()


async def test_the_pane_sends_a_picture_in_parts_to_its_end_and_then_rests(
    stage: type[App[None]], preview: Preview
) -> None:
    async with stage(preview).run_test(size=(COLUMNS, ROWS)) as pilot:
        wire = Wire(pilot, 4_000)
        screen = SixelScreen(COLUMNS, ROWS, CELL)
        preview.show_frame(painting().rgb, 128, 128, final=True)
        while (screen.pixels[: ROWS * CELL[1] - 4] < 0).any():
            await pilot.pause(0.01)
            while wire.parts:
                part = wire.parts.pop(0)
                assert len(part) <= 4 * 4_000 + 50
                screen.show(part)
        await pilot.pause(0.1)

        assert screen.images > 1
        assert off(screen, painting()).mean() < 8
        assert wire.parts == []
        assert not list(preview.query_one("#preview-canvas")._timers)


async def test_a_picture_comes_also_when_its_half_blocks_were_too_much_at_once(
    stage: type[App[None]], preview: Preview
) -> None:
    async with stage(preview).run_test(size=(COLUMNS, ROWS)) as pilot:
        wire = Wire(pilot, 4_000)
        preview.show_frame(painting().rgb, 128, 128, final=True)
        # The strips are on their way, and nothing more is to be drawn.
        wire.driver.is_held = True  # type: ignore[union-attr]
        await pilot.pause(0.1)
        assert wire.parts == []

        wire.driver.is_held = False  # type: ignore[union-attr]
        while not wire.parts:
            await pilot.pause(0.01)


def cells_of(renderer: Sixel, frame: Frame, most: float) -> str:
    """What is sent for a preview, none of it in pixels."""
    renderer.draw(frame, COLUMNS, ROWS, 8, most)
    sent = renderer.changes(0, 0, most)
    assert sent is not None
    assert "\x1bP" not in sent
    return sent


def test_a_preview_that_would_hold_keys_up_comes_in_half_blocks_and_those_that_changed() -> None:
    renderer, slow = Sixel(CELL), 4_000
    sketch = cells_of(renderer, painting(), slow)
    assert len(sketch) <= 2 * slow
    assert renderer.overlay(0, 0, slow) == ""
    while not renderer.is_sent:
        assert len(cells_of(renderer, painting(), slow)) <= 2 * slow
    renderer.draw(painting(), COLUMNS, ROWS, 8, slow)
    assert renderer.changes(0, 0, slow) == ""

    # The picture covers the half blocks, and they then cover it, all at once.
    renderer.draw(painting(), COLUMNS, ROWS, 0, slow)
    assert "\x1bP" in (renderer.changes(0, 0, slow) or "")
    screen = pyte.Screen(COLUMNS, ROWS)
    for sent in ("x" * COLUMNS * ROWS, cells_of(renderer, painting(), slow)):
        pyte.Stream(screen).feed(sent)
    assert "x" not in "".join(screen.display)


@pytest.mark.parametrize("frame", [painting(), noise(512)])
def test_a_preview_in_pixels_is_one_image_that_keys_need_not_wait_for(frame: Frame) -> None:
    renderer, screen = Sixel(CELL), SixelScreen(COLUMNS, ROWS, CELL)
    allowance = COLUMNS * ROWS * 20
    renderer.draw(frame, COLUMNS, ROWS, 8, allowance)

    sent = renderer.changes(0, 0, allowance) or ""

    screen.show(sent)
    assert renderer.is_sent
    assert screen.images == 1
    assert len(sent) <= 2 * allowance + 50


def test_a_rate_that_wavers_does_not_take_previews_from_one_kind_to_the_other() -> None:
    renderer, enough = Sixel(CELL), COLUMNS * ROWS * 20
    for moment in (0.9 * enough, 1.2 * enough, inf, 1.9 * enough):
        cells_of(renderer, noise(128), moment)
    renderer.draw(painting(), COLUMNS, ROWS, 8, 3 * enough)
    assert "\x1bP" in (renderer.changes(0, 0, 3 * enough) or "")


def test_a_preview_below_a_dialog_is_not_in_pixels_when_that_goes() -> None:
    renderer, slow = Sixel(CELL), 4_000
    renderer.draw(painting(), COLUMNS, ROWS, 0, slow)
    while not renderer.is_sent:
        renderer.changes(0, 0, slow)
    # The compositor asks for all of it, whatever the link can do.
    renderer.draw(noise(128), COLUMNS, ROWS, 8, inf)
    renderer.strips()
    assert renderer.overlay(0, 0, slow) == ""
    assert "\x1bP" not in (renderer.changes(0, 0, slow) or "")


async def test_a_picture_that_is_its_last_preview_comes_in_pixels_too(
    stage: type[App[None]], preview: Preview
) -> None:
    async with stage(preview).run_test(size=(COLUMNS, ROWS)) as pilot:
        wire = Wire(pilot, 20_000)
        for final in (False, True):
            assert wire.parts == []
            preview.show_frame(painting().rgb, 128, 128, final=final)
            canvas = preview.query_one(PixelCanvas)
            while canvas.frame is None or not (final or canvas.renderer.is_sent):
                await pilot.pause(0.01)
        while not wire.parts:
            await pilot.pause(0.01)


async def test_a_preview_stays_one_at_another_size(
    stage: type[App[None]], preview: Preview
) -> None:
    async with stage(preview).run_test(size=(COLUMNS, ROWS)) as pilot:
        wire = Wire(pilot, 4_000)
        preview.show_frame(painting().rgb, 128, 128)
        canvas = preview.query_one(PixelCanvas)
        while canvas.frame is None or not canvas.renderer.is_sent:
            await pilot.pause(0.01)
        await pilot.resize_terminal(COLUMNS - 10, ROWS - 8)
        while canvas.size.height != ROWS - 8 or not canvas.renderer.is_sent:
            await pilot.pause(0.01)
        assert wire.parts == []


async def test_previews_are_as_large_as_the_pane_and_the_picture_comes_in_pixels(
    stage: type[App[None]], preview: Preview
) -> None:
    async with stage(preview).run_test(size=(COLUMNS, ROWS)) as pilot:
        wire = Wire(pilot, 4_000)
        for side in (64, 128):
            preview.show_frame(painting(side).rgb, side, side)
            while preview.frame is None or preview.frame.width != side:
                await pilot.pause(0.01)
        assert wire.parts == []
        assert preview.query_one(PixelCanvas).size.width == COLUMNS

        preview.show_frame(painting().rgb, 128, 128, final=True)
        while not wire.parts:
            await pilot.pause(0.01)


async def test_the_next_preview_takes_the_place_of_a_picture_that_is_still_coming(
    stage: type[App[None]], preview: Preview
) -> None:
    async with stage(preview).run_test(size=(COLUMNS, ROWS)) as pilot:
        wire = Wire(pilot, 4_000)
        preview.show_frame(painting().rgb, 128, 128, final=True)
        while not wire.parts:
            await pilot.pause(0.01)
        preview.show_frame(bytes([200, 10, 20]) * 64, 8, 8)
        while preview.frame is None or preview.frame.width > 8:
            await pilot.pause(0.01)
        sent = len(wire.parts)
        await pilot.pause(0.5)

        assert len(wire.parts) == sent
        line = preview.query_one(PixelCanvas).renderer.strips()[ROWS // 2]
        assert {segment.style.color.triplet for segment in line if segment.style} == {(200, 10, 20)}
