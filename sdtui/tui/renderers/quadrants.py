"""Four pixels a cell, in the two colours that come nearest to them."""

from __future__ import annotations

from sdtui.tui.renderers.blocks import Blocks, Bytes, Fit
from sdtui.tui.renderers.two_colours import two_colours


class Quadrants(Blocks):
    """Renders quadrant blocks, twice as fine as half blocks from left to right."""

    name = "quadrant"
    WIDE, HIGH = 2, 2
    CHARACTERS = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"
    """Bits: upper left, upper right, lower left, lower right."""

    def fit(self, pixels: Bytes) -> Fit:
        """Two colours for each cell."""
        return two_colours(pixels)
