"""How a picture comes onto a terminal: one renderer a file, all with the same face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from textual.strip import Strip


@dataclass(frozen=True)
class Frame:
    """One picture: RGB8, row by row, `width * height * 3` bytes."""

    rgb: bytes
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1 or len(self.rgb) != self.width * self.height * 3:
            raise ValueError(
                f"a frame of {self.width}×{self.height} with {len(self.rgb)} bytes of RGB8"
            )


class Renderer(Protocol):
    """Knows what the terminal shows of the picture, and brings it up to date in two ways.

    The compositor paints `strips` wherever and whenever it likes. In between, as long as nothing
    lies over the picture, `changes` are written past it, and what it paints later is the same.
    """

    name: ClassVar[str]
    is_scaled_by_terminal: ClassVar[bool]
    """Whether fewer of its pixels fill as many cells, and are fewer bytes."""
    most_cells: ClassVar[float]
    """Across and down: it is asked for no larger picture."""

    @property
    def is_whole(self) -> bool:
        """Whether the strips show all of the last frame; if not, it is to be drawn again."""
        ...

    @property
    def is_sent(self) -> bool:
        """Whether nothing more is to be written, as long as nothing lies over the picture."""
        ...

    @property
    def pixels(self) -> tuple[int, int]:
        """How many it shows in a cell, across and down."""
        ...

    def draw(
        self, frame: Frame, columns: int, rows: int, tolerance: int = 0, most: float = inf
    ) -> None:
        """Take `frame`, scaled to `columns` by `rows` cells, as the picture to show.

        A cell whose colours all lie within `tolerance` (of 255) of the new ones stays as it is. A
        renderer that can show a picture little by little takes about `most` bytes of it.
        """
        ...

    def strips(self) -> Sequence[Strip]:
        """The picture, line by line, as the compositor paints it."""
        ...

    def changes(self, column: int, row: int, most: float = inf) -> str | None:
        """What brings a terminal to the last frame that showed the one before it.

        The picture's upper left cell is at `column` and `row`, from 0, and `most` is as in `draw`.
        None means that only the compositor can.
        """
        ...

    def overlay(self, column: int, row: int, most: float = inf) -> str:
        """What a terminal needs besides the strips, sent behind them; nothing for most.

        `most` is as in `draw`.
        """
        ...

    def end(self) -> str:
        """What takes away all that the terminal keeps of the picture besides its cells."""
        ...


CELL_ASPECT = 2.0
"""How many times as high as wide a cell is taken to be while nothing better is known."""


def fit(
    width: int, height: int, columns: int, rows: int, aspect: float = CELL_ASPECT
) -> tuple[int, int]:
    """The largest (columns, rows) in which a `width` by `height` picture keeps its shape.

    A cell is `aspect` times as high as wide.
    """
    scale = min(columns / width, rows * aspect / height)
    return (
        max(1, min(columns, round(width * scale))),
        max(1, min(rows, round(height * scale / aspect))),
    )
