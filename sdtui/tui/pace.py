"""When to paint what changes often: several widgets at the same moments, so in one paint."""

from __future__ import annotations

from time import monotonic

from textual.timer import Timer
from textual.widget import Widget

FIGURES_PER_SECOND = 5
"""A paint costs about the same for one line as for many, and every key waits for it."""


def until_next_beat(beats_per_second: float = FIGURES_PER_SECOND) -> float:
    """Seconds until the next of the moments that all widgets share."""
    period = 1 / beats_per_second
    return period - monotonic() % period


class PacedWidget(Widget):
    """A widget whose changing figures are painted on the shared beat."""

    _beat: Timer | None = None

    def refresh_on_beat(self) -> None:
        """Repaint at the next beat, once for all that changes until then."""
        if self._beat is None:
            self._beat = self.set_timer(until_next_beat(), self._on_beat)

    def _on_beat(self) -> None:
        self._beat = None
        self.refresh()
