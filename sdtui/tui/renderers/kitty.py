"""The picture as it is, for terminals with Kitty's graphics protocol and Unicode placeholders.

The cells hold placeholder characters that say which part of which picture belongs there, so that
they can be covered, moved and cut like text. The pixels go to the terminal apart from them, small
as they are, and the terminal scales them.
https://sw.kovidgoyal.net/kitty/graphics-protocol/#unicode-placeholders
"""

from __future__ import annotations

import base64
import io
import random
from collections.abc import Sequence
from math import inf, sqrt
from typing import TYPE_CHECKING, ClassVar

from textual.strip import Strip

from sdtui.tui.renderers import Frame
from sdtui.tui.renderers.cells import RESET
from sdtui.tui.renderers.half_blocks import HalfBlocks
from sdtui.tui.renderers.pixel_strip import PixelStrip
from sdtui.tui.renderers.scaling import scaled
from sdtui.tui.renderers.tmux import through_tmux

if TYPE_CHECKING:
    from rich.console import Console

_PLACEHOLDER = "\U0010eeee"
_RANGES = """
305 30D-30E 310 312 33D-33F 346 34A-34C 350-352 357 35B 363-36F 483-487 592-595 597-599 59C-5A1
5A8-5A9 5AB-5AC 5AF 5C4 610-617 657-65B 65D-65E 6D6-6DC 6DF-6E2 6E4 6E7-6E8 6EB-6EC 730 732-733
735-736 73A 73D 73F-741 743 745 747 749-74A 7EB-7F1 7F3 816-819 81B-823 825-827 829-82D 951 953-954
F82-F83 F86-F87 135D-135F 17DD 193A 1A17 1A75-1A7C 1B6B 1B6D-1B73 1CD0-1CD2 1CDA-1CDB 1CE0 1DC0-1DC1
1DC3-1DC9 1DCB-1DCC 1DD1-1DE6 1DFE 20D0-20D1 20D4-20D7 20DB-20DC 20E1 20E7 20E9 20F0 2CEF-2CF1
2DE0-2DFF A66F A67C-A67D A6F0-A6F1 A8E0-A8F1 AAB0 AAB2-AAB3 AAB7-AAB8 AABE-AABF AAC1 FE20-FE26
10A0F 10A38 1D185-1D189 1D1AA-1D1AD 1D242-1D244
"""
"""The code points of the marks that stand for the numbers from 0, as the protocol lists them."""
MOMENTS = 4
"""The picture takes so many of the moments in which keys are to be echoed: about a third of a
second. A finer one follows when nobody types."""
_MUCH = 3
"""With so many times more to be sent at once, a finer one is worth it."""
_CHUNK = 4096
"""The protocol's longest piece of a picture, in characters of base64."""
_DEFAULT_CELL = (10, 20)
_FINEST_STEP = 4
"""Of 255: previews are sent in steps of this, which makes them a third smaller."""


def _marks() -> str:
    marks = []
    for part in _RANGES.split():
        first, _, last = part.partition("-")
        marks += [chr(code) for code in range(int(first, 16), int(last or first, 16) + 1)]
    return "".join(marks)


MARKS = _marks()


class PlaceholderStrip(PixelStrip):
    """A line of placeholders. What cannot show them, such as an export, gets half blocks."""

    __slots__ = ("_column", "_image", "_row")

    def __init__(self, pixels: PixelStrip, image: int, row: int, column: int = 0) -> None:
        super().__init__(pixels._cells, pixels._codes)
        self._image = image
        self._row = row
        self._column = column

    def _part(self, start: int, end: int) -> Strip:
        part = PixelStrip(self._cells.part(start, end), self._codes)
        return PlaceholderStrip(part, self._image, self._row, self._column + start)

    def render(self, console: Console) -> str:
        """The first cell says which it is, those behind it follow from it."""
        if not self.cell_length:
            return ""
        first = "".join(MARKS[number] for number in (self._row, self._column, self._image >> 24))
        cells = _PLACEHOLDER + first + _PLACEHOLDER * (self.cell_length - 1)
        return f"\x1b[38;5;{self._image & 255}m{cells}{RESET}"


class Kitty:
    """Sends the pixels of each frame under one number, in place of those of the frame before.

    `cell` is a cell's size in pixels, as far as is known; a picture is not sent with more than the
    terminal has for it. Through tmux, each sequence is wrapped for its passthrough.
    """

    name: ClassVar[str] = "kitty"
    is_scaled_by_terminal: ClassVar[bool] = True
    most_cells: ClassVar[float] = len(MARKS)
    """The protocol has no marks for more."""
    is_whole = True

    def __init__(self, cell: tuple[int, int] | None = None, *, in_tmux: bool = False) -> None:
        self._cell = cell or _DEFAULT_CELL
        self._in_tmux = in_tmux
        # Eight bits as the colour of the cells, which every multiplexer keeps, and eight as a mark.
        self._image = random.randrange(1, 256) << 24 | random.randrange(16, 256)
        self._half_blocks = HalfBlocks()
        self._frame: Frame | None = None
        self._cells = (0, 0)
        self._exact = True
        self._most = inf
        self.is_sent = True
        self._strips: list[Strip] = []

    @property
    def pixels(self) -> tuple[int, int]:
        """The terminal's own."""
        return self._cell

    def draw(
        self, frame: Frame, columns: int, rows: int, tolerance: int = 0, most: float = inf
    ) -> None:
        """Take the frame as the one to send."""
        self._cells = columns, rows
        self._frame = frame
        self._exact = not tolerance
        self._most = 0.0
        self.is_sent = False
        self._strips = []

    def strips(self) -> Sequence[Strip]:
        """The placeholders."""
        columns, rows = self._cells
        if self._frame is not None and not self._strips:
            self._half_blocks.draw(self._frame, columns, rows)
            self._strips = [
                PlaceholderStrip(pixels, self._image, row)
                for row, pixels in enumerate(self._half_blocks.strips())
            ]
        return self._strips

    def changes(self, column: int, row: int, most: float = inf) -> str | None:
        """The pixels; the cells stay as they are."""
        return self.overlay(column, row, most)

    def overlay(self, column: int, row: int, most: float = inf) -> str:
        """The pixels, unless the terminal has them; of a picture that is too much, fewer.

        Once more is to be sent at once, it is sent again, with as many as it may then have.
        """
        if self._frame is None or self.is_sent or most < _MUCH * self._most:
            return ""
        columns, rows = self._cells
        data, is_whole = self._data(most * MOMENTS)
        self.is_sent = is_whole or not self._exact or self._most > 0
        self._most = most
        chunks = [data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK)]
        keys = f"a=T,U=1,f=100,q=2,i={self._image},c={columns},r={rows},"
        last = len(chunks) - 1
        return "".join(
            self._command(f"{'' if number else keys}m={int(number < last)}", chunk)
            for number, chunk in enumerate(chunks)
        )

    def end(self) -> str:
        """Let the terminal forget the picture."""
        return self._command(f"a=d,d=I,q=2,i={self._image}") if self._frame else ""

    def _data(self, most: float) -> tuple[str, bool]:
        """A PNG in at most so many characters, and whether it has all the pixels it can have."""
        assert self._frame is not None
        columns, rows = self._cells
        width = min(self._frame.width, columns * self._cell[0])
        height = min(self._frame.height, rows * self._cell[1])
        share = 1.0
        while True:
            size = max(1, int(width * share)), max(1, int(height * share))
            picture = scaled(self._frame, *size)
            if not self._exact:
                picture = picture.point(_STEPS)
            file = io.BytesIO()
            picture.save(file, "PNG")
            data = base64.b64encode(file.getvalue()).decode()
            if len(data) <= most or size == (1, 1):
                return data, share == 1.0
            share *= 0.95 * sqrt(most / len(data))

    def _command(self, keys: str, payload: str = "") -> str:
        command = f"\x1b_G{keys};{payload}\x1b\\"
        return through_tmux(command) if self._in_tmux else command


_STEPS = [min(255, round(value / _FINEST_STEP) * _FINEST_STEP) for value in range(256)] * 3
