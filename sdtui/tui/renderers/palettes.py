"""The colours of terminals that have few, and the way down to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

RGB = tuple[int, int, int]


@dataclass(frozen=True)
class Palette:
    """At most 256 colours and the SGR parameters that choose each of them."""

    rgb: Sequence[RGB]
    foreground: Sequence[str]
    background: Sequence[str]
    dither: bool = False

    def indices(self, picture: Image) -> bytes:
        """The index of each pixel's nearest colour, row by row, one byte a pixel."""
        from PIL import Image

        dither = Image.Dither.FLOYDSTEINBERG if self.dither else Image.Dither.NONE
        indices = picture.quantize(palette=self._palette_image, dither=dither).tobytes()
        return indices.translate(self._wrap)

    @cached_property
    def _palette_image(self) -> Image:
        """Pillow's form of the palette, its free places filled by starting over."""
        from PIL import Image

        picture = Image.new("P", (1, 1))
        count = len(self.rgb)
        picture.putpalette([value for place in range(256) for value in self.rgb[place % count]])
        return picture

    @cached_property
    def _wrap(self) -> bytes:
        return bytes(place % len(self.rgb) for place in range(256))


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
    dither=True,
)
"""The sixteen ANSI colours as most terminals show them."""
