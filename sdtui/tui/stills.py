"""Still pictures as lines of cells: half blocks by rich-pixels, or characters without colour.

Only screens that are opened later use it, so that Pillow is not imported before the first paint.
"""

from __future__ import annotations

from io import BytesIO

from PIL import Image
from rich.segment import Segment
from rich.style import Style
from rich_pixels import HalfcellRenderer
from textual.strip import Strip

from sdtui.tui.renderers import Frame, fit
from sdtui.tui.renderers.ascii_ramp import AsciiRamp


def cells(png: bytes, columns: int, rows: int) -> tuple[int, int]:
    """The cells (columns, rows) of a PNG: as many as fit, and no more than it has pixels."""
    with Image.open(BytesIO(png), formats=["PNG"]) as image:
        width, height = image.size
    return fit(width, height, min(columns, width), min(rows, (height + 1) // 2))


def still(png: bytes, columns: int, rows: int) -> list[Strip]:
    """The picture of a PNG in `rows` lines of `columns` cells, two pixels a cell."""
    with Image.open(BytesIO(png), formats=["PNG"]) as image:
        small = image.convert("RGB").resize((columns, 2 * rows), Image.Resampling.BOX)
    segments = HalfcellRenderer().render(small, None)
    return [Strip(line, columns) for line in Segment.split_lines(segments)]


def still_without_colour(
    png: bytes, columns: int, rows: int, style: Style, *, dark: bool
) -> list[Strip]:
    """The picture in characters of `style`, which are denser where there is more light.

    On a light ground, that is where `dark` is false, where there is less.
    """
    with Image.open(BytesIO(png), formats=["PNG"]) as image:
        frame = Frame(image.convert("RGB").tobytes(), *image.size)
    ramp = AsciiRamp(style, dark=dark)
    ramp.draw(frame, columns, rows)
    return list(ramp.strips())
