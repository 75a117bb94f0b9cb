"""Two small charts of the run: how the noise goes down, and how hard the prompt pulls."""

from __future__ import annotations

import math
from collections.abc import Sequence

from textual.content import Content
from textual.widget import Widget

from sdtui.protocol.events import DenoisingStarted, Event, JobStarted, StepCompleted

_LABEL_WIDTH = 6
_FIGURE_WIDTH = 7
_DOTS = ((0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08))
"""A braille cell's dots from the bottom up, left column and right column."""


class StepCharts(Widget):
    """σ and ‖text − uncond‖ over the steps, one line each, with their newest figures.

    σ is drawn on a logarithmic scale, because it falls over some three powers of ten.
    """

    DEFAULT_CSS = """
    StepCharts { height: 2; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._count = 0
        self._sigmas: list[float] = []
        self._norms: list[float] = []

    def show(self, event: Event) -> None:
        """Follow one event of the engine."""
        match event:
            case JobStarted():
                self._count = 0
                self._sigmas.clear()
                self._norms.clear()
            case DenoisingStarted(timesteps=timesteps):
                self._count = len(timesteps)
            case StepCompleted():
                self._sigmas.append(event.sigma)
                if event.guidance_norm is not None:
                    self._norms.append(event.guidance_norm)
            case _:
                return
        self.refresh()

    def render(self) -> Content:
        """Both lines."""
        room = max(self.size.width - _LABEL_WIDTH - _FIGURE_WIDTH, 0)
        logarithms = [math.log10(max(sigma, 1e-3)) for sigma in self._sigmas]
        return Content("\n").join(
            [
                self._line("σ", logarithms, self._sigmas, room),
                self._line("‖Δ‖", self._norms, self._norms, room),
            ]
        )

    def _line(
        self, label: str, heights: Sequence[float], figures: Sequence[float], room: int
    ) -> Content:
        figure = f"{figures[-1]:{_FIGURE_WIDTH}.3f}"[:_FIGURE_WIDTH] if figures else ""
        return Content.assemble(
            (f"{label:<{_LABEL_WIDTH}}", "$label"),
            (braille(heights, self._count, room).ljust(room), "$unit"),
            (figure.rjust(_FIGURE_WIDTH), "$value"),
        )


def braille(values: Sequence[float], count: int, width: int) -> str:
    """Columns of dots, two a cell and four high, for the first of `count` values to come.

    The chart spans `width` cells when all `count` values are there. The lowest value has one dot.
    """
    if not values or count < 1 or width < 1:
        return ""
    lowest, highest = min(values), max(values)
    span = highest - lowest or 1.0
    columns = width * 2
    drawn = math.ceil(columns * min(len(values), count) / count)
    heights = [
        1 + round(3 * (values[min(column * count // columns, len(values) - 1)] - lowest) / span)
        for column in range(drawn)
    ]
    cells = []
    for start in range(0, drawn, 2):
        dots = 0
        for side, height in enumerate(heights[start : start + 2]):
            dots |= sum(_DOTS[side][:height])
        cells.append(chr(0x2800 + dots))
    return "".join(cells)
