"""When to paint what changes often: everything at the same moments, in one paint."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

from textual.app import App
from textual.widget import Widget

FIGURES_PER_SECOND = 4
"""A paint costs about the same for one line as for many, and every key waits for it."""

_due: WeakKeyDictionary[App[Any], dict[Callable[[], object], Widget]] = WeakKeyDictionary()
"""What waits for the next beat. One timer is for all of it.

It is the application's: what is told something when its screen has just gone has no screen any more
that could count the time for it.
"""


def on_beat(widget: Widget, paint: Callable[[], object]) -> None:
    """Have `paint` called at the next beat, once however often it is asked for until then."""
    app = widget.app
    due = _due.setdefault(app, {})
    if not due:
        period = 1 / FIGURES_PER_SECOND
        call_after(app, period - monotonic() % period, lambda: _beat(due))
    due[paint] = widget


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


def _beat(due: dict[Callable[[], object], Widget]) -> None:
    now = list(due.items())
    due.clear()
    for paint, widget in now:
        if widget.is_attached:
            paint()


class PacedWidget(Widget):
    """A widget whose changing figures are painted on the beat."""

    def refresh_on_beat(self) -> None:
        """Repaint at the next beat, once for all that changes until then."""
        on_beat(self, self.refresh)
