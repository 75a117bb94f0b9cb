"""The worker's way to the supervisor: what it says, and when."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import BinaryIO

from sdtui.protocol.codec import encode
from sdtui.protocol.events import Event

TOGETHER_SECONDS = 0.6
"""What comes so long after the last message waits for nothing."""


class Outbox:
    """Writes events to a pipe, in order. Some can wait for the next one, to travel with it.

    Every message wakes two other processes. Where the model computes on all cores, that is a part
    of a step's time that nobody gets back. What waits is lost with the process.
    """

    def __init__(self, pipe: BinaryIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._pipe = pipe
        self._clock = clock
        self._waiting: list[bytes] = []
        self._sent_at = -math.inf

    def send(self, event: Event) -> None:
        """Write what waits, and `event`."""
        self._waiting.append(encode(event))
        frames = b"".join(self._waiting)
        self._waiting.clear()
        self._pipe.write(frames)
        self._pipe.flush()
        self._sent_at = self._clock()

    def send_soon(self, event: Event) -> None:
        """Write `event` with the next one that is sent, or now if the last one was long ago."""
        if self._clock() - self._sent_at < TOGETHER_SECONDS:
            self._waiting.append(encode(event))
        else:
            self.send(event)
