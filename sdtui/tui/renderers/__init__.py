"""How a picture becomes lines of a terminal: one renderer a file, all with the same face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

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
    """Paints frames for one kind of terminal, through Textual's compositor."""

    def fit(self, width: int, height: int, columns: int, rows: int) -> tuple[int, int]:
        """The cells (columns, rows) of a `width` by `height` picture, as large as a pane allows."""
        ...

    def strips(self, frame: Frame, columns: int, rows: int) -> list[Strip]:
        """`rows` lines of `columns` cells each, the whole frame scaled to fill them."""
        ...
