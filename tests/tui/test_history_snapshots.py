"""The history's screen, cell by cell: `pytest --snapshot-update` after a look at the pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from textual.pilot import Pilot

from sdtui.tui import pace
from sdtui.tui.app import SdtuiApp
from tests.tui.fake_engine import FakeEngineClient, past_pictures
from tests.tui.stage import Stage, params

THREE_BEATS = 0.15
"""Seconds, at 20 figures a second: one beat may be told what the next one paints."""
SIZES = {"60x20": (60, 20), "80x24": (80, 24), "160x48": (160, 48)}


@pytest.fixture(autouse=True)
def _pinned_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(pace, "FIGURES_PER_SECOND", 20)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def history(
    *keys: str, shows: str, count: int = 40, light: bool = False
) -> tuple[SdtuiApp, Callable[[Pilot[None]], Any]]:
    """The application, and what opens the history, presses `keys` and waits for what it `shows`."""
    pictures = past_pictures(count)
    if count > 1:
        pictures[1:2] = past_pictures(2, exists=False)[1:]
    engine = FakeEngineClient(pictures=pictures)

    async def connect() -> FakeEngineClient:
        return engine

    app = SdtuiApp(connect, params())

    async def prepare(pilot: Pilot[None]) -> None:
        stage = Stage(app, engine, pilot)
        if light:
            app.action_toggle_theme()
        await stage.until_shown("ready")
        await stage.until_shown("77")
        await stage.press("f3")
        await stage.until_shown("history ·")
        await stage.press(*keys)
        await stage.until_shown(shows)
        await pilot.pause(THREE_BEATS)

    return app, prepare


@pytest.mark.parametrize("size", SIZES)
def test_dark(snap_compare: Any, size: str) -> None:
    app, prepare = history("down", shows="file is gone")
    assert snap_compare(app, terminal_size=SIZES[size], run_before=prepare)


def test_light(snap_compare: Any) -> None:
    app, prepare = history("down", shows="file is gone", light=True)
    assert snap_compare(app, terminal_size=SIZES["80x24"], run_before=prepare)


def test_large(snap_compare: Any) -> None:
    app, prepare = history("space", shows="took       1.3 s")
    assert snap_compare(app, terminal_size=SIZES["80x24"], run_before=prepare)


def test_empty(snap_compare: Any) -> None:
    app, prepare = history(shows="No pictures yet", count=0)
    assert snap_compare(app, terminal_size=SIZES["80x24"], run_before=prepare)


def test_the_question_before_a_deletion(snap_compare: Any) -> None:
    app, prepare = history("d", shows="keep it")
    assert snap_compare(app, terminal_size=SIZES["80x24"], run_before=prepare)
