"""A line of two-coloured cells that is encoded as it is, and can be cut anywhere.

A line is encoded once, with a colour sent only where it changes. Textual cuts lines where widgets
overlap, so the line knows how to cut itself: `PixelStrip` answers `divide`, `crop` and `render`
from its cells, and everything else (tints behind a modal screen, text export, SVG) from ordinary
segments made on demand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from sdtui.tui.renderers.palettes import EIGHT_BIT, STANDARD, Palette

if TYPE_CHECKING:
    from rich.console import Console

PALETTES: Mapping[str, Palette] = {"256": EIGHT_BIT, "standard": STANDARD, "windows": STANDARD}
"""Which palette a console's colour system has; one that is missing here shows every colour."""

RESET = "\x1b[0m"
NO_MOVES: Mapping[int, str] = {}


@dataclass(frozen=True, slots=True)
class Codes:
    """The SGR parameters of a colour as ink and as paper, by the number that stands for it."""

    ink: Mapping[int, str] | Sequence[str]
    paper: Mapping[int, str] | Sequence[str]


class _TruecolorCodes(dict[int, str]):
    """SGR parameters of 0xRRGGBB, kept while they are few."""

    _LIMIT = 1 << 16

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._format = prefix + ";2;%d;%d;%d"

    def __missing__(self, colour: int) -> str:
        if len(self) >= self._LIMIT:
            self.clear()
        code = self[colour] = self._format % (colour >> 16, colour >> 8 & 255, colour & 255)
        return code


TRUECOLOR = Codes(_TruecolorCodes("38"), _TruecolorCodes("48"))


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells in a row: their characters, what the codes know their colours by, and the true ones.

    A space shows its paper alone.
    """

    text: str
    ink: Sequence[int]
    paper: Sequence[int]
    true_ink: Sequence[int]
    true_paper: Sequence[int]

    def part(self, start: int, end: int) -> Cells:
        """The cells from `start` up to `end`."""
        return Cells(
            self.text[start:end],
            self.ink[start:end],
            self.paper[start:end],
            self.true_ink[start:end],
            self.true_paper[start:end],
        )

    def segments(self) -> list[Segment]:
        """Each cell as an ordinary segment in its true colours."""
        return [
            Segment(character, Style.from_color(_colour(ink), _colour(paper)))
            for character, ink, paper in zip(self.text, self.true_ink, self.true_paper, strict=True)
        ]


def _colour(colour: int) -> Color:
    return Color.from_rgb(colour >> 16, colour >> 8 & 255, colour & 255)


class Pen:
    """Writes cells as terminal sequences, and remembers the colours that are on."""

    def __init__(self, codes: Codes) -> None:
        self._codes = codes
        self._ink: int | None = None
        self._paper: int | None = None
        self._parts: list[str] = []

    def write(self, cells: Cells, moves: Mapping[int, str] = NO_MOVES) -> None:
        """Write cells one after the other; `moves` go before the cells of these numbers."""
        inks, papers = self._codes.ink, self._codes.paper
        ink_on, paper_on = self._ink, self._paper
        append = self._parts.append
        cell = zip(cells.text, cells.ink, cells.paper, strict=True)
        for number, (character, ink, paper) in enumerate(cell):
            if number in moves:
                append(moves[number])
            changes_ink = ink != ink_on and character != " "
            if paper != paper_on:
                paper_on = paper
                if changes_ink:
                    ink_on = ink
                    append(f"\x1b[{inks[ink]};{papers[paper]}m{character}")
                else:
                    append(f"\x1b[{papers[paper]}m{character}")
            elif changes_ink:
                ink_on = ink
                append(f"\x1b[{inks[ink]}m{character}")
            else:
                append(character)
        self._ink, self._paper = ink_on, paper_on

    def text(self) -> str:
        """What was written, and the colours reset."""
        return "".join([*self._parts, RESET])


class PixelStrip(Strip):
    """A line of cells made of pixels, which can be cut anywhere without losing a colour."""

    __slots__ = ("_cells", "_codes", "_made_segments")

    def __init__(self, cells: Cells, codes: Codes) -> None:
        super().__init__((), len(cells.text))
        self._cells = cells
        self._codes = codes
        self._made_segments: list[Segment] | None = None

    @property
    def _segments(self) -> list[Segment]:
        """The line as ordinary segments, for whoever does not ask for the encoded line."""
        if self._made_segments is None:
            self._made_segments = self._cells.segments()
        return self._made_segments

    @_segments.setter
    def _segments(self, segments: list[Segment]) -> None:
        self._made_segments = segments

    @property
    def cell_count(self) -> int:
        """Number of cells in the strip."""
        return self.cell_length

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
            pen = Pen(self._codes)
            pen.write(self._cells)
            self._render_cache = pen.text()
        return self._render_cache
