"""What a terminal with Sixel graphics shows of what it is sent."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pyte

_TOKEN = re.compile(r"#(\d+)(?:;2;(\d+);(\d+);(\d+))?|!(\d+)([?-~])|([?-~])|([$-])")
_IMAGE = re.compile(r"\x1b\[(\d+);(\d+)H(\x1bP[^\x1b]*\x1b\\)")


class SixelScreen:
    """Its pixels, -1 where nothing was shown yet; `cell` is a cell's size in them.

    `images` counts what was shown.
    """

    def __init__(self, columns: int, rows: int, cell: tuple[int, int]) -> None:
        self._cell = cell
        self.pixels = np.full((rows * cell[1], columns * cell[0], 3), -1)
        self.images = 0

    def show(self, sent: str) -> None:
        """Show all images in what is sent, each at its place."""
        for row, column, data in _IMAGE.findall(sent):
            image = unsixel(data)
            y, x = (int(row) - 1) * self._cell[1], (int(column) - 1) * self._cell[0]
            self.pixels[y : y + image.shape[0], x : x + image.shape[1]] = image
            self.images += 1


class TextAndSixelScreen(SixelScreen):
    """A whole terminal: text that is written over pixels takes them away."""

    def __init__(self, columns: int, rows: int, cell: tuple[int, int]) -> None:
        super().__init__(columns, rows, cell)
        self._text = pyte.Stream(_Text(columns, rows, self._erase))

    def show(self, sent: str) -> None:
        """Show all that is sent, in its order."""
        place = 0
        for image in _IMAGE.finditer(sent):
            self._text.feed(sent[place : image.start()])
            super().show(image[0])
            place = image.end()
        self._text.feed(sent[place:])

    def _erase(self, row: int, column: int, cells: int) -> None:
        wide, high = self._cell
        self.pixels[row * high : (row + 1) * high, column * wide : (column + cells) * wide] = -1


class _Text(pyte.Screen):
    """Says where text is drawn or erased. Of erasures the interface writes only the screen's."""

    def __init__(self, columns: int, rows: int, drawn: Callable[[int, int, int], None]) -> None:
        self._drawn = drawn
        super().__init__(columns, rows)

    def draw(self, data: str) -> None:
        """Text at the cursor."""
        self._drawn(self.cursor.y, self.cursor.x, len(data))
        super().draw(data)

    def erase_in_display(self, how: int = 0, *rest: object, **named: object) -> None:
        """The screen, or a part of it."""
        for row in range(self.lines):
            self._drawn(row, 0, self.columns)
        super().erase_in_display(how, *rest, **named)


def unsixel(data: str) -> np.ndarray:
    """The pixels of a Sixel sequence, as a terminal reads it."""
    head = re.match(r'\x1bP0;1;0q"1;1;(\d+);(\d+)', data)
    assert head
    assert data.endswith("\x1b\\")
    width, height = int(head[1]), int(head[2])
    pixels = np.full((height, width, 3), -1)
    palette: dict[int, tuple[int, ...]] = {}
    colour, x, y = 0, 0, 0
    for token in _TOKEN.finditer(data, head.end(), len(data) - 2):
        if token[1]:
            colour = int(token[1])
            if token[2]:
                palette[colour] = tuple(round(int(token[n]) * 2.55) for n in (2, 3, 4))
        elif token[8]:
            x = 0
            y += 6 if token[8] == "-" else 0
        else:
            count, sixel = (int(token[5]), token[6]) if token[5] else (1, token[7])
            for bit in range(6):
                if ord(sixel) - 63 >> bit & 1:
                    pixels[y + bit, x : x + count] = palette[colour]
            x += count
    return pixels
