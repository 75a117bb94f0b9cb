"""The picture in the pixels of the terminal, for terminals with DEC's Sixel graphics.

Sixels are painted over cells and know nothing of them: whatever writes into such a cell takes the
pixels away. So half blocks lie below, which the compositor paints wherever something comes or
goes, and the picture is sent again behind them.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from textual.strip import Strip

from sdtui.tui.renderers import Frame
from sdtui.tui.renderers.half_blocks import HalfBlocks
from sdtui.tui.renderers.pixel_strip import PixelStrip
from sdtui.tui.renderers.scaling import scaled

if TYPE_CHECKING:
    from rich.console import Console

BAND = 6
"""Lines of pixels in a line of sixels."""
COLOURS = 255
PREVIEW_COLOURS = 64
"""Fewer colours make longer runs of one, and so fewer bytes."""

MOST_PER_CELL = 160
"""Characters of a preview. Noise takes more, and is shown in blocks of pixels."""
MOST_PER_PICTURE_CELL = 480
"""Characters of what is not followed by another at once: all but noise has its every pixel."""
BLOCKS = (1, 2, 4, 8)


class _CoveringStrip(PixelStrip):
    """Half blocks that say when they were painted over the picture."""

    __slots__ = ("_renderer",)

    def __init__(self, pixels: PixelStrip, renderer: Sixel) -> None:
        super().__init__(pixels._cells, pixels._codes)
        self._renderer = renderer

    def _part(self, start: int, end: int) -> Strip:
        part = PixelStrip(self._cells.part(start, end), self._codes)
        return _CoveringStrip(part, self._renderer)

    def render(self, console: Console) -> str:
        """The half blocks."""
        self._renderer.is_covered = True
        return super().render(console)


class Sixel:
    """Sends each frame whole, at the terminal's own resolution; `cell` is a cell's in pixels."""

    name: ClassVar[str] = "sixel"
    is_whole = True

    def __init__(self, cell: tuple[int, int]) -> None:
        self._cell = cell
        self._half_blocks = HalfBlocks()
        self._frame: Frame | None = None
        self._cells = (0, 0)
        self._colours = COLOURS
        self._most_per_cell = MOST_PER_PICTURE_CELL
        self._strips: list[Strip] = []
        self.is_covered = True

    @property
    def pixels(self) -> tuple[int, int]:
        """The terminal's own."""
        return self._cell

    def draw(
        self, frame: Frame, columns: int, rows: int, tolerance: int = 0, most: float = inf
    ) -> None:
        """Take the frame as the one to send."""
        self._frame = frame
        self._strips = []
        self._cells = (columns, rows)
        self._colours = PREVIEW_COLOURS if tolerance else COLOURS
        self._most_per_cell = MOST_PER_CELL if tolerance else MOST_PER_PICTURE_CELL
        self.is_covered = True

    def strips(self) -> Sequence[Strip]:
        """Half blocks, for a moment or for as long as something lies over the picture."""
        if self._frame is not None and not self._strips:
            self._half_blocks.draw(self._frame, *self._cells)
            self._strips = [_CoveringStrip(pixels, self) for pixels in self._half_blocks.strips()]
        return self._strips

    def changes(self, column: int, row: int) -> str | None:
        """The picture; the cells below it stay as they are."""
        return self.overlay(column, row)

    def overlay(self, column: int, row: int) -> str:
        """The picture, unless it is on the screen."""
        if self._frame is None or not self.is_covered:
            return ""
        self.is_covered = False
        width, height = self._cells[0] * self._cell[0], self._cells[1] * self._cell[1]
        # A line of sixels that reached below the last cell would scroll the screen.
        lines = max(BAND, height - height % BAND)
        most = self._cells[0] * self._cells[1] * self._most_per_cell
        for block in BLOCKS:
            picture = scaled(self._frame, max(1, width // block), max(1, height // block))
            picture = picture.resize((width, height), Image.Resampling.NEAREST)
            picture = picture.crop((0, 0, width, lines))
            sequence = encode(picture, self._colours)
            if len(sequence) <= most:
                break
        return f"\x1b[{row + 1};{column + 1}H{sequence}"

    def end(self) -> str:
        """Whatever is painted next takes the pixels away."""
        return ""


def encode(picture: Image.Image, colours: int) -> str:
    """A picture, its height a multiple of six, as a Sixel sequence of at most so many colours."""
    width, height = picture.size
    palette, indices = _in_colours(picture, colours)
    percent = np.round(palette * (100 / 255)).astype(int).tolist()
    parts = [f'\x1bP0;1;0q"1;1;{width};{height}']
    for number in np.unique(indices).tolist():
        red, green, blue = percent[number]
        parts.append(f"#{number};2;{red};{green};{blue}")
    for start in range(0, height, BAND):
        parts.append(_band(indices[start : start + BAND]))
    return "".join([*parts, "\x1b\\"])


def _in_colours(picture: Image.Image, colours: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """The colours that suit the picture, (n, 3), and each pixel's number.

    They are chosen from a small copy; a table of 32×32×32 then finds each pixel's nearest.
    """
    small = picture.reduce(max(1, min(picture.size) // 64))
    few = small.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    palette = np.array(few.getpalette(), dtype=np.uint8).reshape(-1, 3)
    levels = np.arange(32, dtype=np.uint8) * 8 + 4
    cube = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1)
    nearest = Image.fromarray(cube.reshape(32, 1024, 3)).quantize(
        palette=few, dither=Image.Dither.NONE
    )
    table = np.asarray(nearest).reshape(-1)
    pixels = np.asarray(picture).astype(np.uint16) >> 3
    return palette, table[pixels[..., 0] << 10 | pixels[..., 1] << 5 | pixels[..., 2]]


def _band(pixels: NDArray[Any]) -> str:
    """Six lines of pixels: for each of their colours, in runs, which of the six have it."""
    numbers = np.unique(pixels)
    bits = (pixels[None] == numbers[:, None, None]) << np.arange(BAND)[None, :, None]
    sixels = bits.sum(axis=1) + 63  # (colours, width)
    starts = np.ones(sixels.shape, dtype=bool)
    starts[:, 1:] = sixels[:, 1:] != sixels[:, :-1]
    places = np.flatnonzero(starts)
    lengths = np.diff(places, append=sixels.size).tolist()
    characters = sixels.reshape(-1)[places].astype(np.uint8).tobytes().decode("ascii")
    begins = (places % sixels.shape[1] == 0).tolist()
    parts = []
    line = iter(numbers.tolist())
    for character, length, begins_line in zip(characters, lengths, begins, strict=True):
        if begins_line:
            parts.append(f"$#{next(line)}")
        if length > 3:
            parts.append(f"!{length}{character}")
        else:
            parts.append(character * length)
    return "".join(parts)[1:] + "-"
