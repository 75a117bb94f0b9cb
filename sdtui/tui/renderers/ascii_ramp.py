"""Pictures without colour: one character a cell, denser where there is more of the ink."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from sdtui.tui.renderers import Frame
from sdtui.tui.renderers.scaling import scaled

RAMP = " .:-=+*#%@"


class AsciiRamp:
    """Renders luminance in ten characters. On a dark ground the densest one is the brightest."""

    name: ClassVar[str] = "ascii"
    is_scaled_by_terminal: ClassVar[bool] = False
    most_cells: ClassVar[float] = inf
    pixels = (1, 1)
    is_whole = is_sent = True

    def __init__(self, style: Style, *, dark: bool) -> None:
        self._style = style
        ramp = RAMP if dark else RAMP[::-1]
        self._characters = [ramp[luminance * len(ramp) // 256] for luminance in range(256)]
        self._strips: list[Strip] = []

    def draw(
        self, frame: Frame, columns: int, rows: int, tolerance: int = 0, most: float = inf
    ) -> None:
        """Take the frame in, whole: a cell is one byte."""
        luminance = scaled(frame, columns, rows).convert("L").tobytes()
        lines = [luminance[start : start + columns] for start in range(0, len(luminance), columns)]
        self._strips = [Strip([Segment(self._text(line), self._style)], columns) for line in lines]

    def _text(self, luminance: bytes) -> str:
        return "".join([self._characters[value] for value in luminance])

    def strips(self) -> Sequence[Strip]:
        """The picture in lines of characters."""
        return self._strips

    def changes(self, column: int, row: int, most: float = inf) -> str | None:
        """The lines are short enough for the compositor, which has the theme's colours."""
        return None

    def overlay(self, column: int, row: int, most: float = inf) -> str:
        """Cells are all there is."""
        return ""

    def end(self) -> str:
        """Cells are all there is."""
        return ""
