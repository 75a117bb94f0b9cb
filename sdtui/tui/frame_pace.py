"""When a frame may be painted, and when the terminal is done with it."""

from __future__ import annotations

from asyncio import TimerHandle
from collections.abc import Callable
from math import inf
from time import monotonic

from textual.widget import Widget

from sdtui.tui.cpu_share import cpu_share
from sdtui.tui.link import Link
from sdtui.tui.pace import call_after, on_frame

MAX_FRAMES_PER_SECOND = 30
UNANSWERED_FRAMES_PER_SECOND = 5
"""Where nothing tells whether the terminal has come so far."""
_QUESTION = "\x1b[?2026$p"
"""DECRQM for synchronized output: whatever the answer, it comes when all before it was read."""
_ANSWER_SECONDS = 5.0
_LATE_SECONDS = 0.01
"""A timer is always a little late, for which the frames after it are not to be later too."""


class FramePace:
    """Has frames painted at most 30 times a second, and no faster than the link allows.

    `paint` is called when it is time, and `done` when another frame may come: the terminal has
    taken in what was painted, and the interface has used no more than its share of the cores. A
    terminal that does not answer questions gets a frame five times a second. Between frames nothing
    runs, and nothing is called once `widget` has gone.
    """

    def __init__(
        self, widget: Widget, link: Link, *, paint: Callable[[], None], done: Callable[[], None]
    ) -> None:
        self._widget = widget
        self._link = link
        self._paint = paint
        self._done = done
        self._timer: TimerHandle | None = None
        self._not_before = 0.0
        self._owed = False
        self._rest: TimerHandle | None = None
        self._asked: TimerHandle | None = None
        self._asked_at = 0.0
        self._asked_whole = False
        self._terminal_answers = False

    def take(self, *, final: bool) -> None:
        """There is a frame to paint. For all but a `final` one, `done` will have to be called."""
        if not final:
            self._owed = True
            if self._rest is not None:
                # The answer to this frame is one to the last as well.
                self._rest.cancel()
                self._rest = None
        wait = 0.0 if final else max(self._not_before - monotonic(), self._link.wait_seconds)
        if wait <= 0:
            self._paint_now()
        elif self._timer is None:
            self._timer = call_after(self._widget, wait, self._paint_now)

    def drop(self) -> None:
        """What was to be painted is of no interest any more."""
        self._stop_timer()
        self.settle()

    def painted(self, size: int, *, whole: bool) -> None:
        """A frame was written. Ask the terminal, behind it, whether it has come so far."""
        self._link.sent(size)
        if not self._owed or self._asked is not None:
            return
        app = self._widget.app
        # A terminal that has not answered Textual's own may print it: Apple's prints a letter.
        if app._driver is not None and (self._terminal_answers or app._sync_available):
            app._driver.write(_QUESTION)
        self._asked_at, self._asked_whole = monotonic(), whole
        if self._terminal_answers:
            self._asked = call_after(self._widget, _ANSWER_SECONDS, self._no_answer)
        else:
            self.settle()

    def terminal_answered(self) -> None:
        """The terminal has answered `DECRQM 2026`, ours or the one that Textual starts with."""
        self._terminal_answers = True
        if self._asked is not None:
            # The first answers of all came while much else was begun.
            shortest: float = getattr(self._widget.app._driver, "round_trip", inf)
            self._link.round_trip = min(self._link.round_trip, shortest)
            if not self._asked_whole:
                self._link.carried(monotonic() - self._asked_at)
            self.settle()

    def settle(self) -> None:
        """Owe nobody an answer any more."""
        if self._asked is not None:
            self._asked.cancel()
            self._asked = None
        if self._owed:
            self._owed = False
            wait = cpu_share(self._widget.app).wait_seconds()
            if wait:
                self._rest = call_after(self._widget, wait, self._done)
            else:
                self._done()

    def _paint_now(self) -> None:
        self._stop_timer()
        rate = MAX_FRAMES_PER_SECOND if self._is_told else UNANSWERED_FRAMES_PER_SECOND
        now = monotonic()
        is_on_time = now - self._not_before < _LATE_SECONDS
        self._not_before = (self._not_before if is_on_time else now) + 1 / rate
        self._paint()
        on_frame(self._widget)

    @property
    def _is_told(self) -> bool:
        """Whether the terminal says how far it has come: here, or to the driver, as tmux does."""
        heard: float = getattr(self._widget.app._driver, "round_trip", inf)
        return self._terminal_answers or heard < inf

    def _no_answer(self) -> None:
        self._terminal_answers = False
        self.settle()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
