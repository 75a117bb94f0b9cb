"""Time to train, and the learning rate that follows it.

A budget counts minutes of the clock, so that a busy machine shortens the run's steps and never
leaves the learning rate high at its end.
"""

from __future__ import annotations

import math
import time


class Budget:
    """Minutes to spend; `spent` survives a resume through checkpoints.

    A run may have to stop before that and go on another time: at `until`, by the monotonic clock.
    """

    def __init__(self, minutes: float, spent: float = 0.0, until: float | None = None) -> None:
        self.minutes = minutes
        self.until = until
        self._started = time.monotonic() - spent * 60

    @property
    def spent(self) -> float:
        """Minutes of training so far."""
        return (time.monotonic() - self._started) / 60

    @property
    def fraction(self) -> float:
        """Share of the budget that is spent, from 0 to 1."""
        return min(self.spent / self.minutes, 1.0)

    @property
    def is_interrupted(self) -> bool:
        """Whether the time to stop has come, spent or not."""
        return self.until is not None and time.monotonic() >= self.until


def learning_rate_factor(fraction: float, warmup: float = 0.01) -> float:
    """A short linear rise and a cosine fall to a hundredth, over the budget's fraction."""
    if fraction < warmup:
        return 0.05 + 0.95 * fraction / warmup
    progress = (fraction - warmup) / (1 - warmup)
    return 0.01 + 0.99 * (1 + math.cos(math.pi * progress)) / 2
