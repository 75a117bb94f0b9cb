"""What changes often is painted on the beat, and a screen that has gone is not waited for."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest
from textual.app import App, ComposeResult
from textual.screen import Screen

from sdtui.tui import pace
from sdtui.tui.cpu_share import cpu_share
from sdtui.tui.pace import PacedWidget, before_beat, on_beat, on_frame


class Figure(PacedWidget):
    """Counts how often it is asked to repaint."""

    painted = 0

    def refresh_figure(self) -> None:
        """Be asked."""
        self.painted += 1


class FigureScreen(Screen[None]):
    """A screen with one figure."""

    def compose(self) -> ComposeResult:
        """The figure."""
        yield Figure()


async def test_what_is_told_something_when_its_screen_has_gone_leaves_nothing_behind() -> None:
    app = App[None]()
    async with app.run_test() as pilot:
        await app.push_screen(FigureScreen())
        screen, figure = weakref.ref(app.screen), app.screen.query_one(Figure)
        figure.refresh_on_beat()
        await app.pop_screen()
        await pilot.pause()
        assert not figure.is_attached

        on_beat(figure, figure.refresh_figure)
        await pilot.pause(0.5)
        assert not figure.painted
        del figure
        while screen() is not None:
            await pilot.pause(0.05)
            gc.collect()


async def test_a_widget_is_painted_once_a_beat_also_after_another_screen_went() -> None:
    app = App[None]()
    async with app.run_test() as pilot:
        await app.push_screen(FigureScreen())
        figure = app.screen.query_one(Figure)
        await app.push_screen(FigureScreen())
        app.screen.query_one(Figure).refresh_on_beat()
        await app.pop_screen()
        for _ in range(5):
            on_beat(figure, figure.refresh_figure)
        while not figure.painted:
            await pilot.pause(0.05)
        await pilot.pause(0.5)
        assert figure.painted == 1


async def test_what_is_told_before_a_beat_is_painted_on_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A busy machine may be late with the message.
    monkeypatch.setattr(pace, "_TELLING_SECONDS", 0.3)
    app = App[None]()
    async with app.run_test() as pilot:
        await app.push_screen(FigureScreen())
        figure = app.screen.query_one(Figure)
        painted: list[str] = []

        def tell() -> None:
            # Another beat would be hours away.
            monkeypatch.setattr(pace, "FIGURES_PER_SECOND", 1e-4)
            # A message tells it, which its widget has not had yet.
            figure.call_later(on_beat, figure, once_more)

        def once_more() -> None:
            painted.append("told")
            on_beat(figure, once_more)

        def paint() -> None:
            painted.append("due")
            asyncio.get_running_loop().call_soon(painted.append, "afterwards")

        before_beat(figure, tell)
        on_beat(figure, paint)
        while "afterwards" not in painted:
            await pilot.pause(0.05)
        await pilot.pause(0.1)
        assert painted == ["due", "told", "afterwards"]


async def test_what_is_told_while_a_beat_is_told_waits_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pace, "FIGURES_PER_SECOND", 20)
    app = App[None]()
    async with app.run_test() as pilot:
        await app.push_screen(FigureScreen())
        figure = app.screen.query_one(Figure)
        told: list[str] = []

        def tell() -> None:
            told.append("first")
            before_beat(figure, lambda: told.append("second"))

        before_beat(figure, tell)
        on_beat(figure, lambda: told.append("painted"))
        while "second" not in told:
            await pilot.pause(0.05)
        await pilot.pause(0.2)
        assert told == ["first", "painted", "second"]


@pytest.mark.parametrize("is_limited", [True, False])
async def test_a_beat_comes_with_a_frame_while_cores_are_shared(
    monkeypatch: pytest.MonkeyPatch, is_limited: bool
) -> None:
    app = App[None]()
    async with app.run_test() as pilot:
        await app.push_screen(FigureScreen())
        figure = app.screen.query_one(Figure)
        cpu_share(app).limit(is_limited)
        told: list[str] = []
        on_frame(figure)
        # By itself it would come in hours.
        monkeypatch.setattr(pace, "FIGURES_PER_SECOND", 1e-4)
        before_beat(figure, lambda: told.append("told"))
        on_beat(figure, lambda: told.append("painted"))
        would_have_come = pace._beats[app]._timer
        assert would_have_come is not None
        for _ in range(2):
            on_frame(figure)
        await pilot.pause(0.2)
        assert told == (["told", "painted"] if is_limited else [])
        assert would_have_come.cancelled() == is_limited
