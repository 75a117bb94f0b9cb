"""What all block characters share: a cell has two colours and a shape that divides them.

The grid holds what the terminal shows, cell by cell. A new frame changes only the cells that
differ from it visibly, so that what is sent and what the compositor would paint are the same, and
no cell is further from its frame than the tolerance.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sdtui.tui.renderers import Frame
from sdtui.tui.renderers.cells import TRUECOLOR, Cells, Codes, texts
from sdtui.tui.renderers.pixel_strip import PALETTES, PixelStrip
from sdtui.tui.renderers.scaling import scaled
from sdtui.tui.renderers.thrift import with_few_colours

_BYTES_A_CELL = 30
_LITTLE = 4
"""What is a fourth of what the link takes in at once need not be fewer bytes."""
_SKETCHED = 16
"""So many cells have one colour, from left to right and from top to bottom."""

Bytes = NDArray[np.uint8]
Numbers = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Fit:
    """The nearest that cells come to their pixels."""

    shape: Numbers  # (rows, columns): which of the characters
    ink: Bytes  # (rows, columns, 3)
    paper: Bytes  # (rows, columns, 3)
    shown: Bytes  # (rows, columns, pixels of a cell, 3): what the cell then looks like


@dataclass(frozen=True, slots=True)
class _Grid:
    """The cells as they are shown: (rows, columns) each, and their pixels."""

    shape: Numbers
    ink: Numbers
    paper: Numbers
    true_ink: Numbers
    true_paper: Numbers
    pixels: Bytes

    def distance(self, new: _Grid) -> Bytes:
        """How far each channel of each pixel is from that of `new`."""
        return np.maximum(self.pixels, new.pixels) - np.minimum(self.pixels, new.pixels)

    def differs(self, new: _Grid) -> NDArray[np.bool_]:
        """The cells for which a terminal must be told something else."""
        differs = (self.shape != new.shape) | (self.ink != new.ink) | (self.paper != new.paper)
        return np.asarray(differs)

    def take(self, new: _Grid, where: NDArray[np.bool_]) -> None:
        """Become `new` there."""
        for name in self.__slots__:
            getattr(self, name)[where] = getattr(new, name)[where]

    def cells(self, where: Any, characters: str) -> Cells:
        """A copy of the cells at an index of these arrays, in a row."""
        return Cells(
            characters,
            np.array(self.shape[where]),
            np.array(self.ink[where]),
            np.array(self.paper[where]),
            np.array(self.true_ink[where]),
            np.array(self.true_paper[where]),
        )


_NO_CELLS = np.zeros((0, 0), dtype=np.int32)
_NOTHING = _Grid(
    _NO_CELLS, _NO_CELLS, _NO_CELLS, _NO_CELLS, _NO_CELLS, np.zeros((0, 0, 1, 3), dtype=np.uint8)
)


class Blocks(ABC):
    """Shows pictures in characters that divide a cell into `WIDE` by `HIGH` pixels.

    Previews are written with few changes of colour, but where that is little for the link, unless
    the renderer `spares_always`.
    """

    name: ClassVar[str]
    is_scaled_by_terminal: ClassVar[bool] = False
    most_cells: ClassVar[float] = inf
    WIDE: ClassVar[int]
    HIGH: ClassVar[int]
    CHARACTERS: ClassVar[str]
    """By shape: bit n says that pixel n, line by line, is ink."""

    def __init__(
        self, color_system: str | None = "truecolor", *, spares_always: bool = False
    ) -> None:
        self._spares_always = spares_always
        self._palette = PALETTES.get(color_system or "truecolor")
        palette = self._palette
        self._codes = Codes.of(palette.foreground, palette.background) if palette else TRUECOLOR
        self._grid = _NOTHING
        self._changed: NDArray[np.bool_] = np.zeros((0, 0), dtype=bool)
        self._strips: list[PixelStrip] | None = None
        self.is_whole = True

    @property
    def is_sent(self) -> bool:
        """What is drawn is sent."""
        return self.is_whole

    @property
    def pixels(self) -> tuple[int, int]:
        """Each is a part of the character."""
        return self.WIDE, self.HIGH

    @abstractmethod
    def fit(self, pixels: Bytes) -> Fit:
        """The nearest cells to pixels of (rows, columns, pixels of a cell, 3)."""

    def draw(
        self, frame: Frame, columns: int, rows: int, tolerance: int = 0, most: float = inf
    ) -> None:
        """Take the frame in where it visibly differs from what is shown.

        The more the picture moves, the less one sees of small errors: the mean change is added to
        the tolerance, up to three times that. Where that is too much at once, a picture begins as
        a sketch, and the cells that are furthest off come first.
        """
        self._strips = None
        grid, cells = self._grid, int(most / _BYTES_A_CELL) if most < inf else columns * rows
        is_new = grid.shape.shape != (rows, columns)
        self.is_whole = not is_new or columns * rows <= cells
        picture = scaled(frame, columns * self.WIDE, rows * self.HIGH)
        if not self.is_whole:
            sketch = picture.reduce((_SKETCHED * self.WIDE, _SKETCHED * self.HIGH))
            picture = sketch.resize(picture.size, Image.Resampling.NEAREST)
        pixels = np.array(picture).reshape(rows, self.HIGH, columns, self.WIDE, 3).swapaxes(1, 2)
        new = self._in_colours(self.fit(pixels.reshape(rows, columns, -1, 3)))
        if is_new:
            self._grid = new
            self._changed = np.ones((rows, columns), dtype=bool)
            return
        distance = grid.distance(new)
        tolerance += min(round(float(distance.mean())), 3 * tolerance)
        furthest = distance.max(axis=(2, 3))
        visible = furthest > tolerance
        if np.count_nonzero(visible) > cells:
            self.is_whole = False
            order = np.where(visible, furthest, 0).argpartition(-cells, axis=None)
            visible = np.isin(np.arange(visible.size), order[-cells:]).reshape(visible.shape)
        # Where colours are few, a cell may look the same for other pixels.
        self._changed = visible & grid.differs(new)
        grid.take(new, visible)
        is_little = most < inf and np.count_nonzero(self._changed) * _LITTLE <= cells
        if tolerance and self._palette is None and (self._spares_always or not is_little):
            self._spare_colours(tolerance)

    def _spare_colours(self, tolerance: int) -> None:
        """Write the changed cells with as few changes of colour as the tolerance allows."""
        grid, where = self._grid, self._changed
        cells = (grid.shape[where].tolist(), grid.ink[where].tolist(), grid.paper[where].tolist())
        count = self.WIDE * self.HIGH
        spared = with_few_colours(*cells, full=2**count - 1, tolerance=tolerance)
        shape, ink, paper = (np.array(numbers, dtype=np.int32) for numbers in spared)
        grid.shape[where] = shape
        grid.ink[where] = grid.true_ink[where] = ink
        grid.paper[where] = grid.true_paper[where] = paper
        is_ink = shape[:, None] >> np.arange(count) & 1
        colours = np.where(is_ink, ink[:, None], paper[:, None])
        for channel, bits in enumerate((16, 8, 0)):
            grid.pixels[where, :, channel] = colours >> bits & 255

    def _in_colours(self, fit: Fit) -> _Grid:
        true_ink, true_paper = _packed(fit.ink), _packed(fit.paper)
        if self._palette is None:
            ink, paper = true_ink.copy(), true_paper.copy()
        else:
            # Each line of cells is two lines of colours to the dither.
            ink, paper = self._palette.numbers(fit.ink, 0), self._palette.numbers(fit.paper, 1)
        fit.shape[ink == paper] = 0
        return _Grid(fit.shape, ink, paper, true_ink, true_paper, fit.shown)

    def strips(self) -> Sequence[PixelStrip]:
        """The whole picture as encoded lines."""
        if self._strips is None:
            grid = self._grid
            self._strips = [
                PixelStrip(grid.cells(row, self.CHARACTERS), self._codes)
                for row in range(len(grid.shape))
            ]
        return self._strips

    def changes(self, column: int, row: int, most: float = inf) -> str | None:
        """The changed cells, each run of them at its place."""
        rows, columns = np.nonzero(self._changed)
        if not len(rows):
            return ""
        is_lower, steps = np.diff(rows, prepend=-1) != 0, np.diff(columns, prepend=0)
        (starts,) = np.nonzero(is_lower | (steps != 1))
        words = [
            f"\x1b[{row + y + 1};{column + x + 1}H" if lower else f"\x1b[{step - 1}C"
            for y, x, step, lower in zip(
                *(numbers[starts].tolist() for numbers in (rows, columns, steps, is_lower)),
                strict=True,
            )
        ]
        written = texts(words)
        moves = np.zeros((len(rows), written.shape[1]), dtype=np.uint8)
        moves[starts] = written
        return self._grid.cells(self._changed, self.CHARACTERS).written(self._codes, moves)

    def overlay(self, column: int, row: int, most: float = inf) -> str:
        """Cells are all there is."""
        return ""

    def end(self) -> str:
        """Cells are all there is."""
        return ""


def _packed(colours: Bytes) -> Numbers:
    """0xRRGGBB of colours whose last axis is RGB."""
    red, green, blue = (colours[..., channel].astype(np.int32) for channel in range(3))
    return red << 16 | green << 8 | blue
