"""Two curves over the steps of a run: the noise that is left, and the pull of the prompt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

from textual.content import Content

from sdtui.protocol.events import DenoisingStarted, Event, JobStarted, StepCompleted
from sdtui.tui.pace import PacedWidget

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_ROWS = 4
"""Rows of cells a curve."""
_LEAST_SIGMA, _GREATEST_SIGMA = 0.01, 4096.0
"""Beyond these the curve stays as it is: no noise is left, or nothing but noise (sigma may be
infinite)."""


class Curves(PacedWidget):
    """Sigma on a logarithmic scale, known from the start, and ‖text − uncond‖ as it comes."""

    DEFAULT_CSS = f"""
    Curves {{ height: {2 * _ROWS + 3}; }}
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._sigmas: list[float] = []
        self._pulls: list[float] = []
        self._done = 0

    def show(self, event: Event) -> None:
        """Follow one event of the engine."""
        match event:
            case JobStarted():
                self._sigmas, self._pulls, self._done = [], [], 0
            case DenoisingStarted(sigmas=sigmas):
                self._sigmas = list(sigmas)
            case StepCompleted():
                self._done = event.step_index + 1
                self._pulls.append(event.guidance_norm or 0.0)
                self.refresh_on_beat()
                return
            case _:
                return
        self.refresh()

    def render(self) -> Content:
        """Both curves, each under its name and its newest value."""
        width = self.size.width
        sigma = self._sigmas[self._done - 1] if self._sigmas and self._done else None
        pull = self._pulls[-1] if self._pulls else None
        logarithms = [
            math.log(min(max(sigma, _LEAST_SIGMA), _GREATEST_SIGMA)) for sigma in self._sigmas
        ]
        lowest = min(logarithms, default=0.0)
        heights = _scaled([value - lowest for value in logarithms])
        pulls = _scaled(self._pulls)
        count = max(len(self._sigmas), len(self._pulls))
        lines = [
            _heading("noise σ", sigma, width),
            *_curve(heights, count, self._done, width),
            Content(""),
            _heading("pull ‖Δ‖", pull, width),
            *_curve(pulls, count, self._done, width),
        ]
        return Content("\n").join(lines)


def _heading(name: str, value: float | None, width: int) -> Content:
    shown = "" if value is None else f"{value:.2f}"
    return Content.assemble((name, "$label"), (shown.rjust(width - len(name)), "$value"))


def _scaled(values: Sequence[float]) -> list[float]:
    highest = max(values, default=0.0) or 1.0
    return [max(value, 0.0) / highest for value in values]


def _curve(heights: list[float], count: int, done: int, width: int) -> list[Content]:
    """Columns as wide as the pane; those of steps to come are dim, the newest has the accent."""
    if not count:
        return [Content("")] * (_ROWS - 1) + [Content.styled("─" * width, "$edge")]
    columns: list[tuple[int, str]] = []
    for x in range(width):
        step = x * count // width
        if step >= len(heights):
            columns.append((0, ""))
            continue
        style = "$edge" if step >= done else "$accent" if step == done - 1 else "$unit"
        columns.append((max(round(heights[step] * _ROWS * 8), 1), style))
    return [_row(columns, row) for row in range(_ROWS - 1, -1, -1)]


def _row(columns: list[tuple[int, str]], row: int) -> Content:
    """One row of cells; those that look alike are one part of it, and empty ones are apart."""
    cells = [(_cell(eighths, row), style) for eighths, style in columns]
    alike = groupby(cells, key=lambda cell: (cell[0] == " ", cell[1]))
    return Content.assemble(
        *(("".join(character for character, _ in part), style) for (_, style), part in alike)
    )


def _cell(eighths: int, row: int) -> str:
    return _EIGHTHS[min(max(eighths - row * 8, 0), 8)]
