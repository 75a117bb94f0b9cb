"""The picture in the pixels of the terminal, for terminals with DEC's Sixel graphics.

Sixels are painted over cells and know nothing of them: whatever writes into such a cell takes the
pixels away. So half blocks lie below, which the compositor paints wherever something comes or
goes, and the picture is sent again behind them.

A picture in pixels is sent whole, or not at all, which over a slow link takes too long for one
that another follows at once: such previews stay in half blocks, of which only what changed is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, gcd, inf
from typing import TYPE_CHECKING, ClassVar

from PIL import Image
from textual.strip import Strip

from sdtui.tui.renderers import Frame
from sdtui.tui.renderers.half_blocks import HalfBlocks
from sdtui.tui.renderers.pixel_strip import PixelStrip
from sdtui.tui.renderers.scaling import scaled
from sdtui.tui.renderers.sixel_code import LINE, Palette, encode

if TYPE_CHECKING:
    from rich.console import Console

COLOURS = 255
PREVIEW_COLOURS = 64
"""Fewer colours make longer runs of one, and so fewer bytes."""

USUAL_PER_CELL = 40
"""Characters of a preview of 64×64 pixels."""
MOST_PER_CELL = 160
"""Characters of a preview. Noise takes more, and is shown in blocks of pixels."""
MOST_PER_PICTURE_CELL = 480
"""Characters of what is not followed by another at once: all but noise has its every pixel."""
BLOCKS = (1, 2, 4, 8, 16)

MOST_BANDS = 12
"""Terminals keep only so many pictures at once; xterm keeps 16."""
MOMENTS = 4
"""A band takes as long as so many of the moments in which keys are to be echoed: about a third of
a second. In less, too little would be seen of it."""
PREVIEW_MOMENTS = 2
"""As long takes a preview; they come one after the other, and a key may be behind each of them."""


class _CoveringStrip(PixelStrip):
    """Half blocks that say when they were painted over a row of the picture."""

    __slots__ = ("_missing", "_row")

    def __init__(self, pixels: PixelStrip, row: int, missing: set[int]) -> None:
        super().__init__(pixels._cells, pixels._codes)
        self._row = row
        self._missing = missing

    def _part(self, start: int, end: int) -> Strip:
        part = PixelStrip(self._cells.part(start, end), self._codes)
        return _CoveringStrip(part, self._row, self._missing)

    def render(self, console: Console) -> str:
        """The half blocks."""
        self._missing.add(self._row)
        return super().render(console)


class Sixel:
    """Sends pictures at the terminal's own resolution; `cell` is a cell's size in its pixels.

    A preview is one Sixel image, or half blocks where that would hold keys up. A picture is one
    image where the link takes it in at once; else it comes in bands, from top to bottom, each an
    image of its own, and as fine as it may be while it holds no key up for long.
    """

    name: ClassVar[str] = "sixel"
    is_scaled_by_terminal: ClassVar[bool] = False
    most_cells: ClassVar[float] = inf

    def __init__(self, cell: tuple[int, int]) -> None:
        self._cell = cell
        self._frame: Frame | None = None
        self._cells = (0, 0)
        self._tolerance = 0
        self._most = self._known_most = inf
        self._missing: set[int] = set()
        self._strips: list[Strip] = []
        self._is_sketch = False
        self._palette: Palette | None = None
        self._blocks: dict[int, Image.Image] = {}
        self._fineness = 0
        self._preview: HalfBlocks | None = None

    @property
    def is_whole(self) -> bool:
        """The half blocks may be a sketch for a moment, but not for longer."""
        return self._preview.is_whole if self._preview else not self._is_sketch

    @property
    def is_sent(self) -> bool:
        """Whether all rows are covered with pixels, or all half blocks are there."""
        return self._preview.is_sent if self._preview else not self._missing

    @property
    def pixels(self) -> tuple[int, int]:
        """The terminal's own."""
        return self._cell

    def draw(
        self, frame: Frame, columns: int, rows: int, tolerance: int = 0, most: float = inf
    ) -> None:
        """Take the frame as the one to send, or go on with it where it is that already."""
        self._most = most
        if most < inf:
            self._known_most = most
        if tolerance and self._is_slow(columns * rows):
            if self._preview is None:
                self._forget()
                # It knows of no cells yet, and so will write over all pixels.
                self._preview = HalfBlocks()
            self._preview.draw(frame, columns, rows, tolerance, most)
            return
        if self._is_sketch:
            self._strips, self._is_sketch = [], False
        if frame is self._frame and ((columns, rows), tolerance) == (self._cells, self._tolerance):
            return
        self._forget()
        self._frame, self._cells, self._tolerance = frame, (columns, rows), tolerance
        self._missing = set(range(rows))

    def _is_slow(self, cells: int) -> bool:
        """Whether a usual preview in pixels would take too long.

        Once it would, the link has to be a good deal quicker: what is measured of it wavers. Where
        all is asked for at once, as by the compositor, that says nothing of the link.
        """
        least = cells * USUAL_PER_CELL / PREVIEW_MOMENTS
        return self._known_most < (2 * least if self._preview else least)

    def _forget(self) -> None:
        """Nothing is drawn, neither in pixels nor in half blocks."""
        self._frame = self._preview = self._palette = None
        self._strips = []
        self._blocks.clear()
        self._fineness = 0

    def strips(self) -> Sequence[Strip]:
        """Half blocks, for a moment or for as long as something lies over the picture."""
        if self._preview is not None:
            return self._preview.strips()
        if self._frame is not None and not self._strips:
            half_blocks = HalfBlocks()
            half_blocks.draw(self._frame, *self._cells, most=self._most)
            self._strips = [
                _CoveringStrip(pixels, row, self._missing)
                for row, pixels in enumerate(half_blocks.strips())
            ]
            self._is_sketch = not half_blocks.is_whole
        return self._strips

    def changes(self, column: int, row: int, most: float = inf) -> str | None:
        """The picture; the cells below it stay as they are."""
        if self._preview is None:
            return self.overlay(column, row, most)
        return self._preview.changes(column, row, most)

    def overlay(self, column: int, row: int, most: float = inf) -> str:
        """What the screen lacks of the picture, or as much of it as may be sent now."""
        if self._preview is not None:
            return ""
        at_once = most * (PREVIEW_MOMENTS if self._tolerance else MOMENTS)
        room = at_once
        parts: list[str] = []
        for band in self._bands(at_once):
            if self._missing.isdisjoint(band):
                continue
            largest = min(at_once, self._largest(len(band)))
            if parts and largest > room:
                break
            sequence = self._encoded(band, largest)
            part = f"\x1b[{row + band.start + 1};{column + 1}H{sequence}"
            if band.stop == self._cells[1] and self._cells[1] * self._cell[1] % LINE:
                part = f"\x1b[{row + band.stop};{column + 1}H{self._last_row()}{part}"
            parts.append(part)
            room -= len(part)
            self._missing.difference_update(band)
        return "".join(parts)

    def end(self) -> str:
        """Whatever is painted next takes the pixels away."""
        return ""

    def _bands(self, at_once: float) -> list[range]:
        """The rows of each band. All but the last are whole lines of sixels."""
        rows = self._cells[1]
        if self._tolerance or self._largest(rows) <= at_once:
            return [range(rows)]
        whole = LINE // gcd(LINE, self._cell[1])
        step = whole * ceil(rows / whole / MOST_BANDS)
        return [range(start, min(start + step, rows)) for start in range(0, rows, step)]

    def _largest(self, rows: int) -> int:
        """The most characters for so many rows."""
        per_cell = MOST_PER_CELL if self._tolerance else MOST_PER_PICTURE_CELL
        return self._cells[0] * rows * per_cell

    def _encoded(self, band: range, most: float) -> str:
        """The rows of a band, in blocks of pixels where they would take more than `most`."""
        top, bottom = band.start * self._cell[1], band.stop * self._cell[1]
        if band.stop == self._cells[1]:
            # A line of sixels that reached below the last cell would scroll the screen.
            bottom = max(top + LINE, bottom - (bottom - top) % LINE)
        # Most bands are about as fine as the one above: few have to be encoded many times.
        for number in range(max(0, self._fineness - 1), len(BLOCKS)):
            picture = self._in_blocks(BLOCKS[number])
            sequence = encode(picture.crop((0, top, picture.width, bottom)), self._colours)
            if len(sequence) <= most:
                break
        self._fineness = number
        return sequence

    def _last_row(self) -> str:
        """The last row in half blocks: below the last line of sixels, something of it is seen."""
        assert self._frame is not None
        columns, rows = self._cells
        picture = scaled(self._frame, columns, 2 * rows)
        below = picture.crop((0, 2 * rows - 2, columns, 2 * rows))
        half_blocks = HalfBlocks()
        half_blocks.draw(Frame(below.tobytes(), columns, 2), columns, 1)
        return "".join(strip.encoded for strip in half_blocks.strips())

    def _in_blocks(self, block: int) -> Image.Image:
        """The frame in the terminal's pixels, in squares of so many of them."""
        if block not in self._blocks:
            assert self._frame is not None
            width, height = (
                cells * side for cells, side in zip(self._cells, self._cell, strict=True)
            )
            picture = scaled(self._frame, max(1, width // block), max(1, height // block))
            self._blocks[block] = picture.resize((width, height), Image.Resampling.NEAREST)
        return self._blocks[block]

    @property
    def _colours(self) -> Palette:
        """The same for all bands, so that they do not differ where they meet."""
        if self._palette is None:
            colours = PREVIEW_COLOURS if self._tolerance else COLOURS
            self._palette = Palette(self._in_blocks(1), colours)
        return self._palette
