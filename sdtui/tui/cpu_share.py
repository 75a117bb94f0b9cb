"""What the interface may take of the cores that the model computes on.

A step on the CPU uses all cores at once and is as slow as the slowest of them: what the interface
takes of one is lost to all.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, process_time
from typing import Any
from weakref import WeakKeyDictionary

from textual.app import App

SHARE = 0.01
"""Of one core, in the long run."""
AT_ONCE_SECONDS = 0.02
"""So much of a picture's time may be used on top of it, so that one of half a second is seen to
form: nobody misses what that takes."""
SHORTEST_WAIT_SECONDS = 0.08
"""A picture of half a second is seen to form by what comes in all of it, not by its first noise."""
_PATIENCE = 0.5
"""No wait is longer than this part of the time since the picture began: the first one of all takes
much more than its share, and is not to be the only one of a picture of a second."""
LONGEST_WAIT_SECONDS = 0.5
"""On a slow machine too, a picture is seen to form, at what that costs there. What is typed is
counted as well, and always shown."""


class CpuShare:
    """Has what changes often wait until the process has used no more of a core than its share.

    Only while it `is_limited`, and what is used at other times is not counted: there is something
    to take away only while a model on the CPU denoises.
    """

    def __init__(
        self,
        clock: Callable[[], float] = monotonic,
        spent: Callable[[], float] = process_time,
    ) -> None:
        self._clock = clock
        self._spent = spent
        self.limit(False)

    def limit(self, is_limited: bool) -> None:
        """Another picture begins, with a limit or none; or nothing is drawn any more."""
        self._began = self._looked_at = self._clock()
        self._spent_then = self._spent()
        self._left = AT_ONCE_SECONDS
        self.is_limited = is_limited

    def wait_seconds(self) -> float:
        """How long the next paint has to wait, by what was used until now."""
        if not self.is_limited:
            return 0.0
        now, spent = self._clock(), self._spent()
        had = min(AT_ONCE_SECONDS, self._left + (now - self._looked_at) * SHARE)
        self._left = max(-LONGEST_WAIT_SECONDS * SHARE, had - (spent - self._spent_then))
        self._looked_at, self._spent_then = now, spent
        wait = min(-self._left / SHARE, (now - self._began) * _PATIENCE)
        return max(SHORTEST_WAIT_SECONDS, wait)


_shares: WeakKeyDictionary[App[Any], CpuShare] = WeakKeyDictionary()


def cpu_share(app: App[Any]) -> CpuShare:
    """The application's."""
    return _shares.setdefault(app, CpuShare())
