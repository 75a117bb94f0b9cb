"""Over a slow link a canvas sends what is missing, once, and then it rests."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import pyte
import pytest
from rich.console import Console
from textual.app import App
from textual.geometry import Region
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.strip import Strip

from sdtui.tui.renderers import Frame
from sdtui.tui.renderers.choice import RendererChoice
from sdtui.tui.renderers.half_blocks import HalfBlocks
from sdtui.tui.renderers.scaling import scaled
from sdtui.tui.terminal_answers import TerminalAnswers
from sdtui.tui.widgets.pixel_canvas import PixelCanvas

COLUMNS, ROWS = 40, 20
ALLOWANCE = 3_000
CONSOLE = Console(color_system="truecolor", force_terminal=True)
_MOST_ROUNDS = 60
"""More than any picture here needs; a canvas that never rests meets it."""


@dataclass
class _Timer:
    """One that the test lets run out."""

    callback: Callable[[], None]
    is_over: bool = False

    def stop(self) -> None:
        self.is_over = True


class SlowLink:
    """What a canvas paints and writes, to a terminal that is held after each of its paints."""

    def __init__(self, canvas: PixelCanvas, pilot: Pilot[None]) -> None:
        self._canvas, self._pilot = canvas, pilot
        self._timers: list[_Timer] = []
        self._render_lines, self._refresh = canvas.render_lines, canvas.refresh
        self._is_to_paint = False
        self.screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.Stream(self.screen)
        self.paints = 0
        self.written: list[str] = []
        self.driver = pilot.app._driver
        self.driver.allowance = ALLOWANCE  # type: ignore[union-attr]
        self.driver.is_held = False  # type: ignore[union-attr]
        self.driver.write = self._write  # type: ignore[method-assign,union-attr]
        canvas.render_lines = self.paint  # type: ignore[method-assign]
        canvas.refresh = self._want_paint  # type: ignore[method-assign,assignment]
        canvas.set_timer = self._set_timer  # type: ignore[method-assign,assignment]

    @property
    def is_at_rest(self) -> bool:
        """Whether no timer of the canvas runs."""
        return all(timer.is_over for timer in self._timers)

    def _set_timer(self, seconds: float, callback: Callable[[], None]) -> _Timer:
        self._timers.append(_Timer(callback))
        return self._timers[-1]

    def _want_paint(self, *regions: Region, **how: bool) -> PixelCanvas:
        self._is_to_paint = True
        self._refresh(*regions, **how)
        return self._canvas

    def paint(self, crop: Region) -> list[Strip]:
        """What the compositor does, to whom only the crop matters."""
        strips = self._render_lines(crop)
        x, y = self._canvas.region.offset + crop.offset
        for row, strip in enumerate(strips):
            self._stream.feed(f"\x1b[{y + row + 1};{x + 1}H{strip.render(CONSOLE)}")
        self.paints += 1
        self._is_to_paint = False
        self.driver.is_held = True  # type: ignore[union-attr]
        return strips

    def _write(self, data: str) -> None:
        self.written.append(data)
        if "\x1bP" not in data and "\x1b_G" not in data:
            self._stream.feed(data)

    async def settle(self) -> None:
        """Let what is to be painted be painted."""
        while self._is_to_paint:
            await self._pilot.pause(0.01)
        await self._pilot.pause()

    async def turn(self) -> None:
        """The terminal catches up, and the canvas's timer runs out."""
        await self.settle()
        self.driver.is_held = False  # type: ignore[union-attr]
        for timer in [timer for timer in self._timers if not timer.is_over]:
            timer.is_over = True
            timer.callback()
        await self.settle()

    async def rest(self) -> None:
        """Go on until the canvas rests."""
        for _ in range(_MOST_ROUNDS):
            await self.turn()
            if self.is_at_rest:
                return
        raise AssertionError(f"after {self.paints} paints the canvas still does not rest")


@dataclass
class Scene:
    """A canvas that shows a frame, and its slow link."""

    canvas: PixelCanvas
    link: SlowLink
    app: App[None]

    def show(self, frame: Frame) -> None:
        self.canvas.show(frame, COLUMNS, ROWS)

    def shows(self, frame: Frame) -> bool:
        """Whether each cell of the terminal is that of the frame in half blocks."""
        renderer, whole = HalfBlocks(), pyte.Screen(COLUMNS, ROWS)
        renderer.draw(frame, COLUMNS, ROWS)
        lines = "\r\n".join(strip.render(CONSOLE) for strip in renderer.strips())
        pyte.Stream(whole).feed(lines)
        return all(
            _look(self.link.screen, x, y) == _look(whole, x, y)
            for y in range(ROWS)
            for x in range(COLUMNS)
        )


Opener = Callable[[str, Frame], AbstractAsyncContextManager[Scene]]


def _look(screen: pyte.Screen, x: int, y: int) -> tuple[str, str]:
    cell = screen.buffer[y][x]
    return (cell.bg, cell.bg) if cell.data == " " else (cell.fg, cell.bg)


def noise(seed: int) -> Frame:
    return Frame(random.Random(seed).randbytes(COLUMNS * ROWS * 2 * 3), COLUMNS, ROWS * 2)


def soft(seed: int) -> Frame:
    """Fields of colour, which are few bytes in half blocks, and more in Sixel."""
    small = Frame(random.Random(seed).randbytes(4 * 4 * 3), 4, 4)
    return Frame(scaled(small, 128, 128).tobytes(), 128, 128)


@pytest.fixture
def scene(stage: type[App[None]], monkeypatch: pytest.MonkeyPatch) -> Opener:
    """Opens a scene with a renderer and a frame, which was just painted."""

    @asynccontextmanager
    async def open_scene(renderer: str, frame: Frame) -> AsyncIterator[Scene]:
        monkeypatch.setenv("COLORTERM", "truecolor")
        canvas = PixelCanvas(RendererChoice(renderer, TerminalAnswers()).make)
        async with stage(canvas).run_test(size=(COLUMNS, ROWS)) as pilot:
            link = SlowLink(canvas, pilot)
            canvas.show(frame, COLUMNS, ROWS)
            while not link.paints:
                await pilot.pause(0.01)
            await link.settle()
            yield Scene(canvas, link, pilot.app)

    return open_scene


EVERY = ["half", "quadrant", "sextant", "kitty", "sixel", "ascii"]


@pytest.mark.parametrize("renderer", EVERY)
async def test_a_picture_is_not_painted_again_and_again(scene: Opener, renderer: str) -> None:
    async with scene(renderer, noise(1)) as shown:
        before = shown.link.paints
        await shown.link.rest()

        assert shown.link.paints == before


@pytest.mark.parametrize("renderer", EVERY)
async def test_below_a_dialog_a_picture_is_painted_whole_and_then_left_alone(
    scene: Opener, renderer: str
) -> None:
    async with scene(renderer, noise(1)) as shown:
        await shown.app.push_screen(ModalScreen())
        await shown.link.rest()
        before = shown.link.paints
        if renderer in ("half", "sixel"):
            assert shown.shows(noise(1))

        shown.show(noise(2))
        await shown.link.rest()
        assert before < shown.link.paints <= before + 3
        assert shown.canvas.renderer.is_whole
        if renderer in ("half", "sixel"):
            assert shown.shows(noise(2))


@pytest.mark.parametrize("renderer", ["kitty", "sixel"])
async def test_what_was_sent_below_a_dialog_is_followed_by_the_pixels_when_it_goes(
    scene: Opener, renderer: str
) -> None:
    async with scene(renderer, soft(1)) as shown:
        await shown.app.push_screen(ModalScreen())
        await shown.link.rest()
        assert not shown.canvas.renderer.is_sent
        before = len(shown.link.written)

        await shown.app.screen.dismiss()
        await shown.link.rest()

        assert shown.canvas.renderer.is_sent
        pixels = shown.link.written[before:]
        assert pixels
        if renderer == "sixel":
            # A band takes four moments, and each moment the link's allowance.
            assert max(map(len, pixels)) <= 4 * ALLOWANCE + 50


async def test_half_blocks_that_were_painted_are_not_written_again(
    scene: Opener,
) -> None:
    flat = Frame(bytes([40, 80, 120]) * 4, 2, 2)
    async with scene("half", flat) as shown:
        await shown.link.rest()
        shown.link.driver.allowance = float("inf")
        shown.show(noise(1))
        await shown.link.rest()
        before = len(shown.link.written)

        shown.canvas.refresh()
        await shown.link.rest()
        shown.show(noise(1))
        await shown.link.rest()

        assert shown.link.written[before:] == []
        assert shown.shows(noise(1))


async def test_the_same_picture_once_more_does_not_keep_the_first_from_coming(
    scene: Opener,
) -> None:
    async with scene("half", noise(1)) as shown:
        await shown.link.turn()
        assert not shown.canvas.renderer.is_whole

        shown.show(noise(1))
        await shown.link.rest()

        assert shown.shows(noise(1))


async def test_what_is_painted_in_one_place_meanwhile_leaves_no_place_behind(
    scene: Opener,
) -> None:
    async with scene("half", noise(1)) as shown:
        await shown.link.rest()
        shown.link.driver.is_held = True
        shown.show(noise(2))
        shown.link.paint(Region(3, 2, 10, 4))
        await shown.link.rest()

        assert shown.shows(noise(2))


async def test_a_smaller_picture_in_sixel_is_all_there_is_to_send(
    scene: Opener,
) -> None:
    async with scene("sixel", soft(1)) as shown:
        shown.canvas.show(soft(2), COLUMNS // 2, ROWS // 2)
        await shown.link.rest()

        assert shown.canvas.renderer.is_sent


@pytest.mark.parametrize(("renderer", "times"), [("kitty", 1), ("half", 0), ("sixel", 0)])
async def test_a_picture_that_the_terminal_kept_is_sent_again_when_it_may_be_another_one(
    scene: Opener, renderer: str, times: int
) -> None:
    async with scene(renderer, noise(1)) as shown:
        await shown.link.rest()
        before = len(shown.link.written)
        shown.app.app_resume_signal.publish(shown.app)
        await shown.link.rest()

        written = "".join(shown.link.written[before:])
        assert written.count("\x1b_Ga=T,U=1") == times
        assert bool(written) == bool(times)
        assert shown.canvas.renderer.is_sent
