"""A screen paints what has changed once it is due, however long the last paint took."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from textual.app import App
from textual.screen import UPDATE_PERIOD, Screen

from sdtui.tui import punctual_paints
from sdtui.tui.punctual_paints import PunctualPaints
from sdtui.tui.screens.main_layout import MainLayout


class Handle:
    """Of a call that is due; the test makes it."""

    def __init__(self, seconds: float, call: Callable[[], object]) -> None:
        self.seconds, self.call = seconds, call
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class SlowScreen(Screen[None]):
    """Paints for as long as the test says."""

    now = 100.0
    seconds = 0.0
    painted = 0

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.due: list[Handle] = []
        monkeypatch.setattr(punctual_paints, "monotonic", lambda: self.now)
        monkeypatch.setattr(punctual_paints, "call_after", self._call_after)
        self.paints = PunctualPaints(self)

    def _call_after(self, _: object, seconds: float, call: Callable[[], object]) -> Handle:
        self.due.append(Handle(seconds, call))
        return self.due[-1]

    def _on_timer_update(self) -> None:
        self.paints.pause()
        self.painted += 1
        self.now += self.seconds

    def paint(self) -> float:
        """Have something painted, and say how long that had to wait."""
        self.paints.resume()
        handle = self.due.pop()
        assert not handle.is_cancelled
        self.now += handle.seconds
        handle.call()
        return handle.seconds


@pytest.mark.parametrize("length", [0.0, 0.4, 0.999, 1.0, 1.2, 1.9, 2.5])
async def test_what_changed_waits_for_the_rest_of_a_period_and_no_longer(
    monkeypatch: pytest.MonkeyPatch, length: float
) -> None:
    async with App[None]().run_test() as pilot:
        screen = SlowScreen(monkeypatch)
        await pilot.app.push_screen(screen)
        painted = screen.painted
        screen.seconds = length * UPDATE_PERIOD
        assert screen.paint() == 0
        assert screen.paint() == pytest.approx(max(0, UPDATE_PERIOD - screen.seconds))
        screen.now += 10
        assert screen.paint() == 0
        assert screen.painted == painted + 3


async def test_what_changes_meanwhile_comes_with_it_and_nothing_comes_after_a_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with App[None]().run_test() as pilot:
        screen = SlowScreen(monkeypatch)
        await pilot.app.push_screen(screen)
        screen.paints.resume()
        screen.paints.resume()
        (first,) = screen.due
        screen.paints.pause()
        assert first.is_cancelled
        screen.paints.resume()
        assert len(screen.due) == 2


async def test_the_main_screen_paints_through_it() -> None:
    app = App[None]()
    async with app.run_test() as pilot:
        screen = MainLayout(None)
        await app.push_screen(screen)
        await pilot.pause(2 * UPDATE_PERIOD)
        screen.refresh()
        await pilot.pause()
        assert screen._paints._painted_at > 0
        painted = screen._paints._painted_at
        app.exit()
        screen._paints.resume()
        await asyncio.sleep(2 * UPDATE_PERIOD)
        assert screen._paints._painted_at == painted
