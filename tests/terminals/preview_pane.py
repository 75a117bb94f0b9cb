"""The picture on a terminal's screen: in the preview pane's half blocks, or over it in Sixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyte
from PIL import Image

from sdtui.tui.renderers import Frame, fit
from sdtui.tui.renderers.scaling import scaled
from tests.tui.widgets.sixel_screen import TextAndSixelScreen

_TITLE = "╭─ preview"
_CELL = (10, 20)
"""In pixels, of a terminal that does not say how large its cells are."""
_MEAN_OFF = 8
"""Of 255: what 255 colours, and over a slow link blocks of pixels, may be off in the mean."""


def picture_in(screen: pyte.Screen) -> np.ndarray:
    """The pixels of the preview pane: (rows, columns, 2, RGB), -1 where a cell has no colour."""
    top = next(y for y, line in enumerate(screen.display) if _TITLE in line)
    left = screen.display[top].index(_TITLE)
    right = screen.display[top].index("╮", left)
    bottom = next(y for y in range(top, screen.lines) if screen.display[y][left] == "╰")
    return np.array(
        [
            [_pixels(screen.buffer[y][x]) for x in range(left + 1, right)]
            for y in range(top + 1, bottom)
        ]
    )


def shows_exactly(screen: pyte.Screen, path: Path) -> bool:
    """Whether the pane shows this picture, in the middle and as large as it can."""
    pane = picture_in(screen)
    rows, columns = pane.shape[:2]
    with Image.open(path) as image:
        rgb = image.convert("RGB")
    wide, high = fit(*rgb.size, columns, rows)
    picture = np.asarray(scaled(Frame(rgb.tobytes(), *rgb.size), wide, high * 2))
    left, top = (columns - wide) // 2, (rows - high) // 2
    shown = pane[top : top + high, left : left + wide]
    return bool((shown == picture.reshape(high, 2, wide, 3).swapaxes(1, 2)).all())


def shows_in_sixel(output: bytes, columns: int, lines: int, path: Path) -> bool:
    """Whether all that was written to a terminal shows this picture, whole, in its pixels."""
    screen = TextAndSixelScreen(columns, lines, _CELL)
    screen.show(output.decode(errors="replace"))
    rows, places = np.nonzero(screen.pixels.min(axis=2) >= 0)
    if not len(rows):
        return False
    shown = screen.pixels[rows[0] : rows[-1] + 1, places.min() : places.max() + 1]
    with Image.open(path) as image:
        rgb = image.convert("RGB")
    picture = scaled(Frame(rgb.tobytes(), *rgb.size), shown.shape[1], shown.shape[0])
    return bool(shown.min() >= 0 and np.abs(shown - np.asarray(picture)).mean() <= _MEAN_OFF)


def _pixels(cell: pyte.screens.Char) -> tuple[tuple[int, ...], tuple[int, ...]]:
    upper = cell.fg if cell.data in "▀█" else cell.bg
    lower = cell.fg if cell.data in "▄█" else cell.bg
    return _rgb(upper), _rgb(lower)


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour)) if len(colour) == 6 else (-1, -1, -1)
