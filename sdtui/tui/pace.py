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
"""A paint costs about the same for one line as for many, and every key waits for it. There are more
only where they come with frames of the picture."""

_TELLING_SECONDS = 0.01
"""So long before it is painted a beat is told: what no message has reached by then comes with the
next."""


class _Beat:
    """What waits for an application's next beat: to be told just before it, and to be painted.

    One timer at a time is for all of it. It is the application's: what is told something when its
    screen has just gone has no screen any more that could count the time for it.
    """

    def __init__(self) -> None:
        self.to_tell: dict[Callable[[], object], Widget] = {}
        self.to_paint: dict[Callable[[], object], Widget] = {}
        self._is_coming = False
        self._timer: asyncio.TimerHandle | None = None

    def come(self, app: App[Any]) -> None:
        """Something waits for it."""
        if not self._is_coming:
            self._is_coming = True
            period, share = 1 / FIGURES_PER_SECOND, cpu_share(app)
            # Where cores are shared, a frame is to have its time to come first, and bring it along.
            wait = period if share.is_limited else period - monotonic() % period
            wait = max(wait, share.wait_seconds())
            self._timer = call_after(app, wait, lambda: self._begin(app))

    def come_now(self, app: App[Any]) -> None:
        """What waits for it need not wait any longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._begin(app)

    def _begin(self, app: App[Any]) -> None:
        self._timer = None
        told, self.to_tell = self.to_tell, {}
        _call(told)
        if told:
            call_after(app, _TELLING_SECONDS, lambda: self._end(app))
        else:
            self._end(app)

    def _end(self, app: App[Any]) -> None:
        painted, self.to_paint = self.to_paint, {}
        self._is_coming = False
        if self.to_tell:
            self.come(app)
        _call(painted)


_beats: WeakKeyDictionary[App[Any], _Beat] = WeakKeyDictionary()


def on_beat(widget: Widget, paint: Callable[[], object]) -> None:
    """Have `paint` called at the next beat, once however often it is asked for until then.

    A beat that is due while the interface has used up its share of the cores comes later, or with
    the next frame of the picture.
    """
    beat = _beats.setdefault(widget.app, _Beat())
    beat.to_paint[paint] = widget
    beat.come(widget.app)


def before_beat(widget: Widget, tell: Callable[[], object]) -> None:
    """Have `tell` called, once, just before the next beat, which paints what comes of it."""
    beat = _beats.setdefault(widget.app, _Beat())
    beat.to_tell[tell] = widget
    beat.come(widget.app)


def on_frame(widget: Widget) -> None:
    """A frame of the picture is painted: while cores are shared, the next beat begins with it.

    Much of what either costs is to wake up.
    """
    beat = _beats.get(widget.app)
    if beat is not None and cpu_share(widget.app).is_limited:
        beat.come_now(widget.app)


def _call(due: dict[Callable[[], object], Widget]) -> None:
    for callback, widget in due.items():
        if widget.is_attached:
            callback()


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


class PacedWidget(Widget):
    """A widget whose changing figures are painted on the beat."""

    def refresh_on_beat(self) -> None:
        """Repaint at the next beat, once for all that changes until then."""
        on_beat(self, self.refresh)
