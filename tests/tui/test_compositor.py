"""Every update paints what Textual's compositor would, and asks fewer widgets for it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyte
import pytest
from textual._compositor import ChopsUpdate, Compositor
from textual.geometry import Region
from textual.widget import Widget

from sdtui.tui.compositor import SparingCompositor
from tests.tui.fake_engine import FakeEngineClient
from tests.tui.stage import Stage, opened, params

WIDE = (160, 48)


def painted(stage: Stage, update: ChopsUpdate | None) -> list[list[Any]]:
    """The cells of a terminal to which nothing but the update was written."""
    columns, lines = stage.app.size
    terminal = pyte.Screen(columns, lines)
    assert update is not None
    pyte.Stream(terminal).feed(update.render_segments(stage.app.console))
    return [[terminal.buffer[y][x] for x in range(columns)] for y in range(lines)]


def anywhere(screen: Region) -> Region:
    x, y = random.randrange(screen.width), random.randrange(screen.height)
    size = Region(x, y, random.randint(1, screen.width), random.randint(1, screen.height))
    return size.intersection(screen)


@contextmanager
def as_textual_does() -> Iterator[None]:
    """All lines of all widgets are made, as Textual's own compositor has it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SparingCompositor, "_get_renders", Compositor._get_renders)
        yield


@pytest.mark.parametrize("size", [WIDE, (80, 24)])
async def test_an_update_of_any_places_paints_what_textual_would(size: tuple[int, int]) -> None:
    random.seed(size[0])
    engine = FakeEngineClient(stop_after=12)
    async with opened(engine, start=params(), size=size) as stage:
        await stage.press("enter")
        await stage.until_shown("12/25")
        await stage.pilot.pause()
        compositor = stage.main._compositor
        for count in [1, 1, 1, 2, 2, 3, 4] * 4:
            places = {anywhere(stage.app.size.region) for _ in range(count)}
            compositor._dirty_regions = set(places)
            update = compositor.render_partial_update()
            compositor._dirty_regions = set(places)
            with as_textual_does():
                textuals = compositor.render_partial_update()
            assert painted(stage, update) == painted(stage, textuals), places


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> set[Widget]:
    """The widgets that were asked for lines."""
    widgets: set[Widget] = set()
    render_lines = Widget.render_lines

    def told(widget: Widget, crop: Region) -> Any:
        widgets.add(widget)
        return render_lines(widget, crop)

    monkeypatch.setattr(Widget, "render_lines", told)
    return widgets


async def test_only_widgets_that_changed_are_asked_for_their_lines(asked: set[Widget]) -> None:
    async with opened(start=params(), size=WIDE) as stage:
        await stage.pilot.pause()
        prompt, progress = stage.main.prompt, stage.main.run_view.progress
        compositor = stage.main._compositor
        # In the rectangle around these two lies all else.
        compositor._dirty_regions = {prompt.region, progress.region}
        asked.clear()
        compositor.render_partial_update()
        assert asked == {prompt, progress}


async def test_what_its_children_cover_is_not_asked_for_its_lines(asked: set[Widget]) -> None:
    async with opened(start=params(), size=WIDE) as stage:
        await stage.pilot.pause()
        asked.clear()
        strips = stage.main._compositor.render_strips()
        assert stage.main.prompt in asked
        assert not asked & {stage.main.query_one("#panes"), stage.main}
        with as_textual_does():
            textuals = stage.main._compositor.render_strips()
        assert strips == textuals
