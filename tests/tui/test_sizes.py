"""The screen at any size: laid out anew through many of them, and a sentence below 60×20.

`SDTUI_SIZES` is how many; `make soak` takes 1000.
"""

from __future__ import annotations

import asyncio
import os
import random

import pytest
from textual import events
from textual.geometry import Size
from textual.widget import Widget

from sdtui.tui.screens.too_small import TooSmallScreen
from sdtui.tui.widgets.pixel_canvas import PixelCanvas
from tests.tui.fake_engine import FakeEngineClient
from tests.tui.stage import Stage, opened, params

_RESIZES = int(os.environ.get("SDTUI_SIZES", "300"))
_LONGEST_DRAG = 15
_SWITCHES = 0.3
"""How often another pane or view is shown at a rest."""
_TURNS = 5000
"""More turns of the event loop than any layout needs; only a wrong one meets it."""


def shown(stage: Stage) -> list[Widget]:
    """The widgets that nothing else is laid out in, which a person sees."""
    parts = ("#status", "#prompt", "#negative", "#settings", "#preview", "#log", "#progress")
    found = stage.main.query(", ".join((*parts, "#keys")))
    return [widget for widget in found if widget.is_on_screen and widget.region.area]


def faults(stage: Stage) -> list[str]:
    """What is wrong with the places: each part on the screen, none over another, no cell free.

    The pictures lie within their pane.
    """
    screen = stage.app.size.region
    parts = shown(stage)
    wrong = [f"{part} is cut off" for part in parts if not screen.contains_region(part.region)]
    for place, part in enumerate(parts):
        for other in parts[place + 1 :]:
            if part.region.overlaps(other.region):
                wrong.append(f"{part} overlaps {other}")
    if sum(part.region.area for part in parts) != screen.area:
        wrong.append("cells belong to nobody, or to several")
    preview = stage.main.run_view.preview
    for canvas in preview.query(PixelCanvas):
        if canvas.region.area and not preview.content_region.contains_region(canvas.region):
            wrong.append(f"{canvas} leaves its pane")
    names = {part.id for part in parts}
    return wrong + [f"no {name}" for name in ("status", "keys", "preview") if name not in names]


async def laid_out(stage: Stage, size: Size) -> None:
    """Let the application work until it has this size and every part its place."""
    for _ in range(_TURNS):
        await asyncio.sleep(0.002)
        if stage.app.size == size and not faults(stage):
            return
    raise AssertionError(f"{stage.app.size}, not {size}: {faults(stage)}\n{stage.text}")


async def test_many_sizes_leave_every_part_in_its_place() -> None:
    """They come as from a window that is dragged: several, then a rest in which all is right."""
    chance = random.Random(5)
    engine = FakeEngineClient(stop_after=12)
    async with opened(engine, start=params()) as stage:
        await stage.press("enter")
        await stage.until_shown("12/25")
        rest = 0
        for number in range(_RESIZES):
            size = Size(chance.randint(60, 200), chance.randint(20, 60))
            stage.app.post_message(events.Resize(size, size))
            await asyncio.sleep(0)
            if number < rest:
                continue
            await laid_out(stage, size)
            if chance.random() < _SWITCHES:
                await stage.press(chance.choice(["ctrl+l", "f2", "f6", "ctrl+n", "f4"]))
                await laid_out(stage, size)
            rest = number + chance.randint(1, _LONGEST_DRAG)
        await stage.pilot.resize_terminal(100, 30)
        engine.finish()
        await stage.until(lambda: stage.main.run_view.saved)
        await laid_out(stage, Size(100, 30))


@pytest.mark.parametrize("size", [(59, 40), (100, 19), (20, 5), (1, 1), (59, 1)])
async def test_below_the_smallest_size_a_sentence_says_so(size: tuple[int, int]) -> None:
    async with opened(FakeEngineClient(stop_after=3), start=params()) as stage:
        await stage.press("enter")
        await stage.until_shown("3/25")
        await stage.pilot.resize_terminal(*size)
        assert isinstance(stage.app.screen, TooSmallScreen)
        if size[0] * size[1] > 90:
            assert "too small" in " ".join(stage.text.split())
            assert f"{size[0]}×{size[1]}" in stage.text
        # Keys and events do no harm meanwhile.
        await stage.press("f1", "ctrl+p", "f3", "x", "escape")
        stage.engine.finish()
        await stage.pilot.pause(0.1)
        assert isinstance(stage.app.screen, TooSmallScreen)
        await stage.pilot.resize_terminal(60, 20)
        await stage.until_shown("done in")
        await laid_out(stage, stage.app.size)


async def test_a_terminal_that_is_too_small_from_the_start_can_grow() -> None:
    async with opened(start=params(), size=(60, 20)) as stage:
        await stage.press("f3")
        await stage.pilot.resize_terminal(30, 10)
        await stage.until_shown("too small")
        await stage.pilot.resize_terminal(80, 24)
        await stage.until_shown("No pictures yet")
        await stage.press("escape")
        await laid_out(stage, stage.app.size)
