"""Paints what has changed on a screen as soon as the last paint is long enough ago."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

from textual.screen import UPDATE_PERIOD, Screen
from textual.timer import Timer

from sdtui.tui.pace import call_after


class PunctualPaints(Timer):
    """In the place of the timer that a screen resumes when it has something to paint.

    Textual's own (8.2.8) ticks at multiples of a sixtieth of a second, and a paint that takes
    longer than one makes it leave out the next one as well: a letter that is typed meanwhile waits
    for up to 33 ms in which nothing happens. This one counts from the beginning of the last paint.
    It ends with its screen, or with the application.
    """

    def __init__(self, screen: Screen[Any]) -> None:
        super().__init__(screen, UPDATE_PERIOD, name="screen_update", pause=True)
        self._screen = screen
        self._painted_at = 0.0
        self._next: asyncio.TimerHandle | None = None

    def resume(self) -> None:
        """There is something to paint."""
        if self._next is None:
            wait = self._painted_at + UPDATE_PERIOD - monotonic()
            self._next = call_after(self._screen, max(0.0, wait), self._paint)

    def pause(self) -> None:
        """There is nothing more to paint."""
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _paint(self) -> None:
        self._next = None
        self._painted_at = monotonic()
        self._screen._on_timer_update()
