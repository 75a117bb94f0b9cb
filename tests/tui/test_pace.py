"""What changes often is painted on the beat, and a screen that has gone is not waited for."""

from __future__ import annotations

import gc
import weakref

import pytest
from textual.app import App, ComposeResult
from textual.screen import Screen

from sdtui.tui import pace
from sdtui.tui.pace import PacedWidget, on_beat


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


async def test_what_is_told_on_a_beat_is_painted_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    app = App[None]()
    async with app.run_test() as pilot:
        await app.push_screen(FigureScreen())
        figure = app.screen.query_one(Figure)

        def tell() -> None:
            # Another beat would be an hour away.
            monkeypatch.setattr(pace, "FIGURES_PER_SECOND", 1e-4)
            for _ in range(5):
                on_beat(figure, refresh_once_more)

        def refresh_once_more() -> None:
            figure.refresh_figure()
            on_beat(figure, figure.refresh_figure)

        on_beat(figure, tell)
        while not figure.painted:
            await pilot.pause(0.05)
        await pilot.pause(0.1)
        assert figure.painted == 1
