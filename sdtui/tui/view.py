"""What of a picture is seen, and how large: all of it, a part enlarged, or its very pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

ZOOMS = (1, 2, 3, 4, 6, 8, 12, 16)
_SHAPES = [(across, down) for across in range(1, 7) for down in range(1, 7)]
_SQUARE = 7 / 6
"""Sides that differ by no more than this are taken for equal."""
_PAN = 1 / 8
"""Of what is seen, by one key."""


@dataclass(frozen=True)
class Pane:
    """The room for a picture. Each cell is `aspect` times as high as wide.

    A renderer shows `pixels` (across, down) in a cell.
    """

    columns: int
    rows: int
    aspect: float
    pixels: tuple[int, int]


@dataclass(frozen=True)
class Window:
    """The part of a picture from `left` and `top` on, in its pixels, and the cells that it fills.

    Where the view is exact, each of the picture's pixels is `enlarged` (across, down) pixels of the
    terminal, and what they leave of the last cells is empty.
    """

    left: float
    top: float
    width: float
    height: float
    columns: int
    rows: int
    enlarged: tuple[int, int] | None = None


@dataclass(frozen=True)
class View:
    """How a picture of any size is looked at through a pane of any size.

    A fitted picture fills the pane and `zoom` is against that; an `exact` one has a whole number of
    the terminal's pixels for each of its own, `zoom` of them where they are square. Around
    (`x`, `y`), from 0 to 1 across the whole picture, lies what is seen, as far as its edges let it.
    """

    exact: bool = False
    zoom: int = 1
    x: float = 0.5
    y: float = 0.5

    def window(self, width: int, height: int, pane: Pane) -> Window:
        """What is seen of a `width` by `height` picture. It never leaves the picture."""
        if self.exact:
            return self._exact_window(width, height, pane)
        columns_a_pixel = self.zoom * min(pane.columns / width, pane.rows * pane.aspect / height)
        rows_a_pixel = columns_a_pixel / pane.aspect
        columns, seen_width = _seen(width, columns_a_pixel, pane.columns)
        rows, seen_height = _seen(height, rows_a_pixel, pane.rows)
        left = _start(self.x, seen_width, width)
        top = _start(self.y, seen_height, height)
        return Window(left, top, seen_width, seen_height, columns, rows)

    def _exact_window(self, width: int, height: int, pane: Pane) -> Window:
        across, down = (self.zoom * times for times in _square(pane))
        seen_width = min(width, max(1, pane.columns * pane.pixels[0] // across))
        seen_height = min(height, max(1, pane.rows * pane.pixels[1] // down))
        return Window(
            left=round(_start(self.x, seen_width, width)),
            top=round(_start(self.y, seen_height, height)),
            width=seen_width,
            height=seen_height,
            columns=min(pane.columns, math.ceil(seen_width * across / pane.pixels[0])),
            rows=min(pane.rows, math.ceil(seen_height * down / pane.pixels[1])),
            enlarged=(across, down),
        )

    def zoomed(self, steps: int) -> View:
        """Nearer by so many steps, or further away."""
        place = ZOOMS.index(self.zoom) + steps
        return replace(self, zoom=ZOOMS[max(0, min(len(ZOOMS) - 1, place))])

    def panned(self, right: int, down: int, width: int, height: int, pane: Pane) -> View:
        """Moved over a `width` by `height` picture by so many steps, up to its edges."""
        window = self.window(width, height, pane)
        x, y = (
            (start + seen / 2 + steps * max(1.0, seen * _PAN)) / whole
            for start, seen, steps, whole in (
                (window.left, window.width, right, width),
                (window.top, window.height, down, height),
            )
        )
        return replace(
            self,
            x=_clamped(x, window.width / 2 / width),
            y=_clamped(y, window.height / 2 / height),
        )

    def words(self, width: int, height: int, pane: Pane) -> str:
        """The view in a word or two, with the way to its place where there is more to see."""
        window = self.window(width, height, pane)
        name = "exact" if self.exact else "fitted" if self.zoom == 1 else "zoom"
        words = [name if self.zoom == 1 else f"{name} ×{self.zoom}"]
        for arrow, start, seen, whole in (
            ("→", window.left, window.width, width),
            ("↓", window.top, window.height, height),
        ):
            if seen < whole:
                words.append(f"{arrow}{100 * start / (whole - seen):.0f}%")
        return " ".join(words)


FITTED = View()


def _square(pane: Pane) -> tuple[int, int]:
    """The fewest pixels of the terminal, across and down, that look square, or come nearest to it.

    In cells twice as high as wide that is one half block, or one true pixel; two quadrants side by
    side; three by two sextants, as one alone would be a quarter too narrow.
    """
    ratio = pane.aspect * pane.pixels[0] / pane.pixels[1]

    def rank(shape: tuple[int, int]) -> tuple[float, int]:
        across, down = shape
        wider = across / down / ratio
        return max(wider, 1 / wider, _SQUARE), across * down

    return min(_SHAPES, key=rank)


def _seen(whole: int, cells_a_pixel: float, room: int) -> tuple[int, float]:
    """The cells for `whole` pixels, and how many of these are seen there."""
    cells = max(1, round(whole * cells_a_pixel))
    return (cells, whole) if cells <= room else (room, room / cells_a_pixel)


def _start(centre: float, seen: float, whole: int) -> float:
    """Where `seen` pixels around `centre` begin, within the whole."""
    return max(0.0, min(whole - seen, centre * whole - seen / 2))


def _clamped(centre: float, half: float) -> float:
    return max(half, min(1 - half, centre))
