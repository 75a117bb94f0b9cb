"""Pictures without colour: one character a cell, denser where there is more of the ink."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from sdtui.tui.renderers import Frame
from sdtui.tui.renderers.half_blocks import fit, scaled

RAMP = " .:-=+*#%@"


class AsciiRamp:
    """Renders luminance in ten characters. On a dark ground the densest one is the brightest."""

    def __init__(self, style: Style, *, dark: bool) -> None:
        self._style = style
        ramp = RAMP if dark else RAMP[::-1]
        self._characters = [ramp[luminance * len(ramp) // 256] for luminance in range(256)]

    def fit(self, width: int, height: int, columns: int, rows: int) -> tuple[int, int]:
        """The cells of the largest picture with this aspect."""
        return fit(width, height, columns, rows)

    def strips(self, frame: Frame, columns: int, rows: int) -> list[Strip]:
        """The frame in `rows` lines of `columns` characters."""
        if columns < 1 or rows < 1:
            return []
        luminance = scaled(frame, columns, rows).convert("L").tobytes()
        characters = self._characters
        return [
            Strip(
                [
                    Segment(
                        "".join(
                            [characters[value] for value in luminance[start : start + columns]]
                        ),
                        self._style,
                    )
                ],
                columns,
            )
            for start in range(0, len(luminance), columns)
        ]
