"""A frame brought to the number of pixels that a renderer has for it."""

from __future__ import annotations

import math

from PIL import Image

from sdtui.tui.renderers import Frame
from sdtui.tui.view import Window

_FINER = 2
"""A part is cut out of a frame between its pixels, so it gets more of them than it has there."""


def scaled(frame: Frame, width: int, height: int) -> Image.Image:
    """The frame at exactly `width` by `height` pixels.

    The mean of the covered area on the way down, straight lines between the pixels on the way up:
    a linear preview has a sixty-fourth of the picture's pixels, and squares would hide its shapes.
    """
    picture = _image(frame)
    grows = width > frame.width or height > frame.height
    return picture.resize(
        (width, height), Image.Resampling.BILINEAR if grows else Image.Resampling.BOX
    )


def cut(
    frame: Frame,
    window: Window,
    picture: tuple[int, int],
    pixels: tuple[int, int],
    ground: tuple[int, int, int],
) -> Frame:
    """What a window of a `picture` (its width and height) shows of a frame of it.

    A renderer with `pixels` to a cell scales the answer to the window's cells. A frame that is the
    picture itself is only enlarged by whole numbers where the window is exact, on a `ground` that
    fills the last cells. A smaller one, a preview, is scaled as ever.
    """
    room = window.columns * pixels[0], window.rows * pixels[1]
    is_picture = (frame.width, frame.height) == picture
    if window.enlarged is not None and is_picture:
        return _enlarged(frame, window, room, ground)
    if (window.width, window.height) == picture:
        return frame
    across, down = frame.width / picture[0], frame.height / picture[1]
    left, top = window.left * across, window.top * down
    width, height = window.width * across, window.height * down
    size = min(room[0], math.ceil(width * _FINER)), min(room[1], math.ceil(height * _FINER))
    box = left, top, min(left + width, frame.width), min(top + height, frame.height)
    grows = size[0] > width or size[1] > height
    how = Image.Resampling.BILINEAR if grows else Image.Resampling.BOX
    return _frame(_image(frame).resize(size, how, box=box))


def coarser(frame: Frame, scale: float) -> Frame:
    """The frame with so many times as many pixels each way, but never more than it has."""
    if scale >= 1:
        return frame
    size = max(1, int(frame.width * scale)), max(1, int(frame.height * scale))
    return _frame(_image(frame).resize(size, Image.Resampling.BOX))


def _enlarged(
    frame: Frame, window: Window, room: tuple[int, int], ground: tuple[int, int, int]
) -> Frame:
    assert window.enlarged is not None
    left, top = int(window.left), int(window.top)
    width, height = int(window.width), int(window.height)
    part = _image(frame).crop((left, top, left + width, top + height))
    across, down = window.enlarged
    part = part.resize((width * across, height * down), Image.Resampling.NEAREST)
    if part.size == room:
        return _frame(part)
    filled = Image.new("RGB", room, ground)
    filled.paste(part)
    return _frame(filled)


def _image(frame: Frame) -> Image.Image:
    return Image.frombytes("RGB", (frame.width, frame.height), frame.rgb)


def _frame(image: Image.Image) -> Frame:
    return Frame(image.tobytes(), *image.size)
