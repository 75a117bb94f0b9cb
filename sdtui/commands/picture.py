"""A picture printed in half blocks: two pixels a cell."""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich_pixels import Pixels

_LINES_LEFT_FREE = 6
"""For the command and what it says before the picture, the picture's path and the next prompt."""
_MOST_LINES = 32


def fitted(width: int, height: int, columns: int, lines: int) -> tuple[int, int]:
    """The largest size in pixels, with the picture's aspect and not above its own, that fits.

    A cell is one pixel wide and two high.
    """
    scale = min(1.0, columns / width, 2 * max(lines, 1) / height)
    return max(1, int(width * scale)), max(1, int(height * scale))


def print_picture(file: Path | BytesIO, most_lines: int = _MOST_LINES) -> None:
    """Print a picture on stdout, fitted to the terminal and to `most_lines`.

    It is in 24-bit colour where there is no terminal.
    """
    is_terminal = sys.stdout.isatty()
    console = Console(
        force_terminal=True, color_system="auto" if is_terminal else "truecolor", highlight=False
    )
    with Image.open(file) as image:
        lines = min(console.height - _LINES_LEFT_FREE, most_lines)
        size = fitted(*image.size, console.width, lines)
        console.print(Pixels.from_image(image.convert("RGB").resize(size, Image.Resampling.BOX)))
