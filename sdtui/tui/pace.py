"""When to paint what changes often: everything on a screen at the same moments, in one paint."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

from textual.screen import Screen
from textual.widget import Widget

FIGURES_PER_SECOND = 5
"""A paint costs about the same for one line as for many, and every key waits for it."""

_due: WeakKeyDictionary[Screen[Any], dict[Callable[[], object], Widget]] = WeakKeyDictionary()
"""What waits for the next beat of each screen. One timer is for all of it."""


def on_beat(widget: Widget, paint: Callable[[], object]) -> None:
    """Have `paint` called at the next beat, once however often it is asked for until then."""
    screen = widget.screen
    due = _due.setdefault(screen, {})
    if not due:
        period = 1 / FIGURES_PER_SECOND
        screen.set_timer(period - monotonic() % period, lambda: _beat(due))
    due[paint] = widget


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
