"""A terminal over a slow link, on a clock that the test turns."""

from __future__ import annotations

from sdtui.tui.in_transit import InTransit

ROUND_TRIP = 0.15


class Clock:
    """A clock that the test turns."""

    now = 50.0

    def __call__(self) -> float:
        """The time."""
        return self.now


class SlowTerminal:
    """Answers when all before the question has come over a link of so many bytes a second."""

    def __init__(self, rate: float) -> None:
        self.clock = Clock()
        self.in_transit = InTransit(self.clock)
        self._rate = rate
        self.in_transit.asked()
        self.clock.now += ROUND_TRIP
        self.in_transit.answered()

    def take(self, size: int) -> float:
        """One piece, and its answer; how many seconds later that comes."""
        self.in_transit.wrote(size)
        assert self.in_transit.wants_to_ask
        self.in_transit.asked()
        seconds = ROUND_TRIP + size / self._rate
        self.clock.now += seconds
        self.in_transit.answered()
        return seconds
