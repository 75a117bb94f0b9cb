"""Two pixels a cell: an upper half block with the top pixel as its ink, the bottom one as paper."""

from __future__ import annotations

import numpy as np

from sdtui.tui.renderers.blocks import Blocks, Bytes, Fit


class HalfBlocks(Blocks):
    """Renders half blocks in a console's colour system ("truecolor", "256" or "standard")."""

    name = "half"
    WIDE, HIGH = 1, 2
    CHARACTERS = " ▀▄█"

    def fit(self, pixels: Bytes) -> Fit:
        """Every pixel has a colour of its own."""
        shape = np.ones(pixels.shape[:2], dtype=np.intp)
        return Fit(shape, pixels[:, :, 0], pixels[:, :, 1], pixels)
