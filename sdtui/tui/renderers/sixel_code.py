"""A picture in the characters of DEC's Sixel graphics: its palette, then six lines at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LINE = 6
"""Pixels from top to bottom in a line of sixels."""


class Palette:
    """At most so many `colours` that suit a picture, and which of them is nearest to a pixel.

    They are chosen from a small copy; a table of 32×32×32 then finds each pixel's nearest.
    """

    def __init__(self, picture: Image.Image, colours: int) -> None:
        small = picture.reduce(max(1, min(picture.size) // 64))
        few = small.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        rgb = np.array(few.getpalette(), dtype=np.uint8).reshape(-1, 3)
        self.percent: list[tuple[int, int, int]] = np.round(rgb * (100 / 255)).astype(int).tolist()
        """Red, green and blue by number, as Sixel has them."""
        levels = np.arange(32, dtype=np.uint8) * 8 + 4
        cube = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1)
        nearest = Image.fromarray(cube.reshape(32, 1024, 3)).quantize(
            palette=few, dither=Image.Dither.NONE
        )
        self._table = np.asarray(nearest).reshape(-1)

    def numbers(self, picture: Image.Image) -> NDArray[Any]:
        """The number of each pixel's colour: (height, width)."""
        pixels = np.asarray(picture).astype(np.uint16) >> 3
        return self._table[pixels[..., 0] << 10 | pixels[..., 1] << 5 | pixels[..., 2]]


def encode(picture: Image.Image, palette: Palette) -> str:
    """A picture, its height a multiple of six, as a Sixel sequence in the colours of a palette."""
    width, height = picture.size
    numbers = palette.numbers(picture)
    parts = [f'\x1bP0;1;0q"1;1;{width};{height}']
    for number in np.unique(numbers).tolist():
        red, green, blue = palette.percent[number]
        parts.append(f"#{number};2;{red};{green};{blue}")
    for start in range(0, height, LINE):
        parts.append(_line(numbers[start : start + LINE]))
    return "".join([*parts, "\x1b\\"])


def _line(pixels: NDArray[Any]) -> str:
    """Six lines of pixels: for each of their colours, in runs, which of the six have it."""
    numbers = np.unique(pixels)
    bits = (pixels[None] == numbers[:, None, None]) << np.arange(LINE)[None, :, None]
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
