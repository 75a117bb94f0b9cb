"""A frame brought to the number of pixels that a renderer has for it."""

from __future__ import annotations

from PIL import Image

from sdtui.tui.renderers import Frame


def scaled(frame: Frame, width: int, height: int) -> Image.Image:
    """The frame at exactly `width` by `height` pixels.

    The mean of the covered area on the way down, straight lines between the pixels on the way up:
    a linear preview has a sixty-fourth of the picture's pixels, and squares would hide its shapes.
    """
    picture = Image.frombytes("RGB", (frame.width, frame.height), frame.rgb)
    grows = width > frame.width or height > frame.height
    return picture.resize(
        (width, height), Image.Resampling.BILINEAR if grows else Image.Resampling.BOX
    )
