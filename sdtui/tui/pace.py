"""When to paint what changes often: everything at the same moments, in one paint."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

from textual.app import App
from textual.widget import Widget

from sdtui.tui.cpu_share import cpu_share

FIGURES_PER_SECOND = 4
"""A paint costs about the same for one line as for many, and every key waits for it."""

_MOMENT_SECONDS = 0.05
"""What is asked for so soon after a beat, by what was told on it, still belongs to that one."""


class _Beat:
    """What waits for an application's next beat, and when the last one was.

    One timer is for all of it. It is the application's: what is told something when its screen has
    just gone has no screen any more that could count the time for it.
    """

    def __init__(self) -> None:
        self.due: dict[Callable[[], object], Widget] = {}
        self.last = 0.0


_beats: WeakKeyDictionary[App[Any], _Beat] = WeakKeyDictionary()


def on_beat(widget: Widget, paint: Callable[[], object]) -> None:
    """Have `paint` called at the next beat, once however often it is asked for until then.

    A beat that is due while the interface has used up its share of the cores comes later.
    """
    app = widget.app
    beat = _beats.setdefault(app, _Beat())
    if not beat.due:
        now, period = monotonic(), 1 / FIGURES_PER_SECOND
        if now - beat.last < _MOMENT_SECONDS:
            # Once: what comes of this paint waits for the next beat.
            beat.last = 0.0
            call_after(app, 0, lambda: _paint_what_is_due(beat))
        else:
            wait = max(period - now % period, cpu_share(app).wait_seconds())
            call_after(app, wait, lambda: _begin(beat))
    beat.due[paint] = widget


def call_after(
    widget: Widget | App[Any], seconds: float, callback: Callable[[], object]
) -> asyncio.TimerHandle:
    """Have `callback` called so much later, unless a widget has gone by then.

    For what happens at every step: one of Textual's timers is a task, and a message to its widget.
    """

    def call() -> None:
        if widget.is_attached:
            try:
                callback()
            except Exception as error:
                widget.app._handle_exception(error)

    return asyncio.get_running_loop().call_later(seconds, call)


def _begin(beat: _Beat) -> None:
    beat.last = monotonic()
    _paint_what_is_due(beat)


def _paint_what_is_due(beat: _Beat) -> None:
    due, beat.due = beat.due, {}
    for paint, widget in due.items():
        if widget.is_attached:
            paint()


class PacedWidget(Widget):
    """A widget whose changing figures are painted on the beat."""

    def refresh_on_beat(self) -> None:
        """Repaint at the next beat, once for all that changes until then."""
        on_beat(self, self.refresh)
