"""The way to the terminal: what goes over it, and how large a picture it carries in time."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Mapping
from math import sqrt
from time import monotonic

from sdtui.errors import ParameterError
from sdtui.tui import figures

LIMIT_VARIABLE = "SDTUI_MAX_BYTES_PER_SECOND"

_WINDOW_SECONDS = 2.0
_SLOW_SECONDS, _QUICK_SECONDS = 0.5, 0.12
"""What a preview takes on the way before the next is smaller, or larger again. One size's share
of the bytes lies well between the two, so that a steady link has a steady size."""
_SHRINK = 0.75
_SMALLEST = 0.4


def byte_limit(environment: Mapping[str, str] = os.environ) -> int:
    """The most bytes of previews a second, 0 for any. Raises `ParameterError` for no number."""
    limit = environment.get(LIMIT_VARIABLE, "") or "0"
    if not limit.isdecimal():
        raise ParameterError(LIMIT_VARIABLE, f"{limit!r} is no number of bytes", "0 is no limit.")
    return int(limit)


class Link:
    """Counts what is sent, and keeps to `limit` bytes a second if it is not 0.

    `left_out` counts the previews of a job that never came, of those that it was to have: the link
    had not taken in the last one, the interface had used its share of the cores, or the steps were
    too short for so many. Of a job that had begun before it was watched, none before the first that
    came are counted. `round_trip` is what an answer takes when nothing was sent before it. `scale`
    is how large previews may be, against their room.
    """

    def __init__(self, limit: int = 0, clock: Callable[[], float] = monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._sent: deque[tuple[float, int]] = deque()
        self._free_at = 0.0
        self.round_trip = 0.0
        self.expect_other_pictures()
        self.join()
        self.begin(preview_every=0)

    def join(self) -> None:
        """Another engine is watched from here on."""
        self._has_seen_none = True

    def expect_other_pictures(self) -> None:
        """What previews take is not known any more."""
        self.scale = 1.0

    def begin(self, preview_every: int) -> None:
        """Another job begins, with a preview every so many steps."""
        self._preview_every = preview_every
        self._preview = -1
        self.left_out = 0

    def preview_came(self, step_index: int) -> None:
        """Those that were to come between this one and the last never will."""
        if self._preview_every:
            preview = step_index // self._preview_every
            if not self._has_seen_none:
                self.left_out += max(0, preview - self._preview - 1)
            self._has_seen_none = False
            self._preview = preview

    def sent(self, size: int) -> None:
        """One frame of so many bytes was written."""
        now = self._clock()
        self._sent.append((now, size))
        if self._limit:
            self._free_at = max(now, self._free_at) + size / self._limit

    @property
    def wait_seconds(self) -> float:
        """How long the next frame has to wait for the limit."""
        return max(0.0, self._free_at - self._clock())

    def carried(self, seconds: float) -> None:
        """The terminal answered so long after a frame of changes was written.

        A link too slow for the picture gets a smaller one: at a quarter of the size every frame
        still comes.
        """
        on_the_way = seconds - self.round_trip
        if on_the_way > _SLOW_SECONDS:
            shrink = min(_SHRINK, sqrt(_SLOW_SECONDS / on_the_way))
            self.scale = max(_SMALLEST, self.scale * shrink)
        elif on_the_way < _QUICK_SECONDS:
            self.scale = min(1.0, self.scale / _SHRINK)

    @property
    def frames_per_second(self) -> float:
        """Frames in the last seconds."""
        return len(self._recent()) / _WINDOW_SECONDS

    @property
    def bytes_per_second(self) -> float:
        """Bytes of frames in the last seconds."""
        return sum(size for _, size in self._recent()) / _WINDOW_SECONDS

    def figures(self) -> list[str]:
        """What goes over the link, in words."""
        words = []
        if self._recent():
            rate = self.frames_per_second
            words.append(f"{rate:.0f} frames/s" if rate >= 1 else f"{rate:.1f} frames/s")
            words.append(f"{figures.byte_size(self.bytes_per_second)}/s")
        if self.left_out:
            words.append(f"{self.left_out} left out")
        return words

    def _recent(self) -> deque[tuple[float, int]]:
        since = self._clock() - _WINDOW_SECONDS
        while self._sent and self._sent[0][0] < since:
            self._sent.popleft()
        return self._sent
