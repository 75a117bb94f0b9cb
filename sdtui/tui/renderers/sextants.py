"""Six pixels a cell, in the two colours that come nearest to them."""

from __future__ import annotations

from sdtui.tui.renderers.blocks import Blocks, Bytes, Fit
from sdtui.tui.renderers.two_colours import two_colours

_FIRST = 0x1FB00
_ELSEWHERE = {0: " ", 0b010101: "▌", 0b101010: "▐", 0b111111: "█"}
"""Unicode leaves out of the sextants' own block what it had before."""


def _characters() -> str:
    characters = []
    code = _FIRST
    for shape in range(64):
        if shape in _ELSEWHERE:
            characters.append(_ELSEWHERE[shape])
        else:
            characters.append(chr(code))
            code += 1
    return "".join(characters)


class Sextants(Blocks):
    """Renders sextants (Unicode 13), which need a font or a terminal that has them."""

    name = "sextant"
    WIDE, HIGH = 2, 3
    CHARACTERS = _characters()
    """Bits: left and right of the upper, the middle and the lower third."""

    def fit(self, pixels: Bytes) -> Fit:
        """Two colours for each cell."""
        return two_colours(pixels)
