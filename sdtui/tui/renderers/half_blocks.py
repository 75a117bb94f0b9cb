"""Two pixels a cell: an upper half block with the top pixel as its ink, the bottom one as paper.

A line is encoded once, with a colour sent only where it changes, and goes to the terminal as it
is. Textual cuts lines where widgets overlap, so the line knows how to cut itself: `PixelStrip`
answers `divide`, `crop` and `render` from its pixels, and everything else (tints behind a modal
screen, text export, SVG) from ordinary segments made on demand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from sdtui.tui.renderers import Frame
from sdtui.tui.renderers.palettes import EIGHT_BIT, STANDARD, Palette

if TYPE_CHECKING:
    from PIL.Image import Image
    from rich.console import Console

UPPER_HALF_BLOCK = "▀"

PALETTES: Mapping[str, Palette] = {"256": EIGHT_BIT, "standard": STANDARD, "windows": STANDARD}
"""Which palette a console's colour system has; one that is missing here shows every colour."""


class HalfBlocks:
    """Renders half blocks in a console's colour system ("truecolor", "256" or "standard")."""

    def __init__(self, color_system: str | None = "truecolor") -> None:
        self._palette = PALETTES.get(color_system or "truecolor")

    def fit(self, width: int, height: int, columns: int, rows: int) -> tuple[int, int]:
        """The cells of the largest picture with this aspect; a cell is one pixel by two."""
        return fit(width, height, columns, rows)

    def strips(self, frame: Frame, columns: int, rows: int) -> list[Strip]:
        """The frame in `rows` encoded lines of `columns` cells."""
        if columns < 1 or rows < 1:
            return []
        picture = scaled(frame, columns, rows * 2)
        rgb = picture.tobytes()
        pixels: list[Any]
        if self._palette is None:
            codes = TRUECOLOR
            pixels = [rgb[start : start + 3] for start in range(0, len(rgb), 3)]
        else:
            codes = Codes(self._palette.foreground, self._palette.background)
            pixels = list(self._palette.indices(picture))
        lines = [
            Line(pixels[start : start + columns], rgb[start * 3 : (start + columns) * 3])
            for start in range(0, len(pixels), columns)
        ]
        return [
            PixelStrip(top, bottom, codes)
            for top, bottom in zip(lines[::2], lines[1::2], strict=True)
        ]


def fit(width: int, height: int, columns: int, rows: int) -> tuple[int, int]:
    """The largest (columns, rows) in which a `width` by `height` picture keeps its aspect."""
    scale = min(columns / width, rows * 2 / height)
    return (
        max(1, min(columns, round(width * scale))),
        max(1, min(rows, round(height * scale / 2))),
    )


def scaled(frame: Frame, width: int, height: int) -> Image:
    """The frame at exactly `width` by `height` pixels.

    The box filter is the mean of the covered area on the way down and the nearest pixel, crisp,
    on the way up.
    """
    from PIL import Image

    picture = Image.frombytes("RGB", (frame.width, frame.height), frame.rgb)
    return picture.resize((width, height), Image.Resampling.BOX)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of pixels: what the codes know each by, and their true colours in RGB8."""

    pixels: Sequence[Any]
    rgb: bytes

    def part(self, start: int, end: int) -> Line:
        """The pixels from `start` up to `end`."""
        return Line(self.pixels[start:end], self.rgb[start * 3 : end * 3])

    def colours(self) -> list[Color]:
        """Each pixel's true colour."""
        red, green, blue = self.rgb[::3], self.rgb[1::3], self.rgb[2::3]
        return [Color.from_rgb(*pixel) for pixel in zip(red, green, blue, strict=True)]


@dataclass(frozen=True, slots=True)
class Codes:
    """The SGR parameters of a pixel as ink and as paper."""

    foreground: Mapping[Any, str] | Sequence[str]
    background: Mapping[Any, str] | Sequence[str]


class _TruecolorCodes(dict[bytes, str]):
    """SGR parameters of three bytes of RGB, kept while they are few."""

    _LIMIT = 1 << 16

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._format = prefix + ";2;%d;%d;%d"

    def __missing__(self, pixel: bytes) -> str:
        if len(self) >= self._LIMIT:
            self.clear()
        code = self[pixel] = self._format % (pixel[0], pixel[1], pixel[2])
        return code


TRUECOLOR = Codes(_TruecolorCodes("38"), _TruecolorCodes("48"))


def encode(top: Sequence[Any], bottom: Sequence[Any], codes: Codes) -> str:
    """One line of cells as terminal sequences, ending with the colours reset.

    A cell of one colour is a space, which needs no ink.
    """
    foreground, background = codes.foreground, codes.background
    ink = paper = None
    parts: list[str] = []
    append = parts.append
    for upper, lower in zip(top, bottom, strict=True):
        if lower != paper:
            paper = lower
            if upper == lower:
                append(f"\x1b[{background[lower]}m ")
            elif upper == ink:
                append(f"\x1b[{background[lower]}m▀")
            else:
                ink = upper
                append(f"\x1b[{foreground[upper]};{background[lower]}m▀")
        elif upper == lower:
            append(" ")
        elif upper == ink:
            append(UPPER_HALF_BLOCK)
        else:
            ink = upper
            append(f"\x1b[{foreground[upper]}m▀")
    append("\x1b[0m")
    return "".join(parts)


class PixelStrip(Strip):
    """A line of cells made of pixels, which can be cut anywhere without losing a colour."""

    __slots__ = ("_bottom", "_codes", "_made_segments", "_top")

    def __init__(self, top: Line, bottom: Line, codes: Codes) -> None:
        super().__init__((), len(top.pixels))
        self._top = top
        self._bottom = bottom
        self._codes = codes
        self._made_segments: list[Segment] | None = None

    @property
    def _segments(self) -> list[Segment]:
        """The line as ordinary segments, for whoever does not ask for the encoded line."""
        if self._made_segments is None:
            self._made_segments = [
                Segment(UPPER_HALF_BLOCK, Style.from_color(ink, paper))
                for ink, paper in zip(self._top.colours(), self._bottom.colours(), strict=True)
            ]
        return self._made_segments

    @_segments.setter
    def _segments(self, segments: list[Segment]) -> None:
        self._made_segments = segments

    @property
    def cell_count(self) -> int:
        """Number of cells in the strip."""
        return self.cell_length

    def __bool__(self) -> bool:
        return self.cell_length > 0

    def _part(self, start: int, end: int) -> Strip:
        if start == 0 and end == self.cell_length:
            return self
        return PixelStrip(self._top.part(start, end), self._bottom.part(start, end), self._codes)

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
            self._render_cache = encode(self._top.pixels, self._bottom.pixels, self._codes)
        return self._render_cache
