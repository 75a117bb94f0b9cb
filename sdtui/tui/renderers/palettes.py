"""The colours of terminals that have few, and the way down to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

RGB = tuple[int, int, int]

_THRESHOLDS = (
    np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], dtype=np.float32) - 7.5
) / 16
"""Bayer's matrix. Unlike errors that are handed on from pixel to pixel, it changes no cell whose
pixels did not change."""
_CLOSE = 8
"""Of 255, in each channel: one does not see the difference."""


@dataclass(frozen=True)
class Palette:
    """At most 256 colours and the SGR parameters that choose each of them.

    `spread` is how far the dither moves a channel, about the distance between two colours.
    """

    rgb: Sequence[RGB]
    foreground: Sequence[str]
    background: Sequence[str]
    spread: float

    def numbers(self, colours: NDArray[np.uint8], line: int) -> NDArray[Any]:
        """The index of the colour that stands for each of (rows, columns, 3).

        It is dithered where no colour comes close: a plain ground stays plain. A row of cells has
        two lines of colours; `line` says whether these are the upper (0).
        """
        rows, columns, _ = colours.shape
        lines = (np.arange(rows) * 2 + line) % 4
        threshold = _THRESHOLDS[lines][:, np.arange(columns) % 4]
        moved = colours + (threshold * self.spread)[:, :, None]
        plain = self._nearest_to(colours)
        off = np.abs(np.array(self.rgb)[plain] - colours.astype(np.intp)).max(axis=-1)
        return np.where(off <= _CLOSE, plain, self._nearest_to(moved.clip(0, 255)))

    def _nearest_to(self, colours: NDArray[Any]) -> NDArray[Any]:
        red, green, blue = np.moveaxis(colours.astype(np.intp) >> 3, -1, 0)
        return self._nearest[red, green, blue]

    @cached_property
    def _nearest(self) -> NDArray[Any]:
        """The index of the nearest colour to each of 32×32×32."""
        count = len(self.rgb)
        palette = Image.new("P", (1, 1))
        # Its free places are filled by starting over.
        palette.putpalette([value for place in range(256) for value in self.rgb[place % count]])
        levels = np.arange(32, dtype=np.uint8) * 8 + 4
        cube = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1)
        picture = Image.fromarray(cube.reshape(32, 1024, 3))
        indices = np.asarray(picture.quantize(palette=palette, dither=Image.Dither.NONE))
        return (indices.astype(np.intp) % count).reshape(32, 32, 32)


def _cube_and_greys() -> list[RGB]:
    """Colours 16 to 255 of xterm: a cube of six levels and 24 greys."""
    levels = (0, 95, 135, 175, 215, 255)
    cube = [(red, green, blue) for red in levels for green in levels for blue in levels]
    greys = [(grey, grey, grey) for grey in range(8, 239, 10)]
    return cube + greys


EIGHT_BIT = Palette(
    rgb=_cube_and_greys(),
    foreground=[f"38;5;{index}" for index in range(16, 256)],
    background=[f"48;5;{index}" for index in range(16, 256)],
    spread=32,
)
"""The colours 16 to 255; the first sixteen are the user's own and may be any."""

STANDARD = Palette(
    rgb=[
        (0, 0, 0),
        (170, 0, 0),
        (0, 170, 0),
        (170, 85, 0),
        (0, 0, 170),
        (170, 0, 170),
        (0, 170, 170),
        (170, 170, 170),
        (85, 85, 85),
        (255, 85, 85),
        (85, 255, 85),
        (255, 255, 85),
        (85, 85, 255),
        (255, 85, 255),
        (85, 255, 255),
        (255, 255, 255),
    ],
    foreground=[str(code) for code in (*range(30, 38), *range(90, 98))],
    background=[str(code) for code in (*range(40, 48), *range(100, 108))],
    spread=72,
)
"""The sixteen ANSI colours as most terminals show them."""
