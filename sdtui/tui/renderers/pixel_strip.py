"""A line of two-coloured cells that is encoded as it is, and can be cut anywhere.

A line is encoded once, with a colour sent only where it changes. Textual cuts lines where widgets
overlap, so the line knows how to cut itself: `PixelStrip` answers `divide`, `crop` and `render`
from its cells, and everything else (tints behind a modal screen, text export, SVG) from ordinary
segments made on demand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from sdtui.tui.renderers.cells import RESET, Cells, Codes
from sdtui.tui.renderers.palettes import EIGHT_BIT, STANDARD, Palette

if TYPE_CHECKING:
    from rich.console import Console

PALETTES: Mapping[str, Palette] = {"256": EIGHT_BIT, "standard": STANDARD, "windows": STANDARD}
"""Which palette a console's colour system has; one that is missing here shows every colour."""


def _segments(cells: Cells) -> list[Segment]:
    """Each cell as an ordinary segment in its true colours."""
    inks, papers = cells.true_ink.tolist(), cells.true_paper.tolist()
    return [
        Segment(cells.characters[shape], Style.from_color(_colour(ink), _colour(paper)))
        for shape, ink, paper in zip(cells.shape.tolist(), inks, papers, strict=True)
    ]


def _colour(colour: int) -> Color:
    return Color.from_rgb(colour >> 16, colour >> 8 & 255, colour & 255)


class PixelStrip(Strip):
    """A line of cells made of pixels, which can be cut anywhere without losing a colour."""

    __slots__ = ("_cells", "_codes", "_made_segments")

    def __init__(self, cells: Cells, codes: Codes) -> None:
        super().__init__((), len(cells))
        self._cells = cells
        self._codes = codes
        self._made_segments: list[Segment] | None = None

    @property
    def _segments(self) -> list[Segment]:
        """The line as ordinary segments, for whoever does not ask for the encoded line."""
        if self._made_segments is None:
            self._made_segments = _segments(self._cells)
        return self._made_segments

    @_segments.setter
    def _segments(self, segments: list[Segment]) -> None:
        self._made_segments = segments

    @property
    def cell_count(self) -> int:
        """Number of cells in the strip."""
        return self.cell_length

    @property
    def encoded(self) -> str:
        """The line as terminal sequences."""
        return self._cells.written(self._codes) or RESET

    @property
    def encoded_size(self) -> int:
        """Bytes of the line as it was painted; none while it has not been, or not in one piece."""
        return len((self._render_cache or "").encode())

    def __bool__(self) -> bool:
        return self.cell_length > 0

    def _part(self, start: int, end: int) -> Strip:
        if start == 0 and end == self.cell_length:
            return self
        return PixelStrip(self._cells.part(start, end), self._codes)

    def crop(self, start: int, end: int | None = None) -> Strip:
        """The cells from `start` up to `end`."""
        length = self.cell_length
        start = max(0, start)
        return self._part(start, max(start, length if end is None else min(length, end)))

    def divide(self, cuts: Iterable[int]) -> Sequence[Strip]:
        """The parts of the line that end at the cuts."""
        length = self.cell_length
        parts: list[Strip] = []
        start = 0
        for cut in cuts:
            if cut > length:
                break
            parts.append(self._part(start, cut))
            start = cut
        return parts

    def render(self, console: Console) -> str:
        """The line as terminal sequences, encoded once."""
        if self._render_cache is None:
            self._render_cache = self.encoded
        return self._render_cache
