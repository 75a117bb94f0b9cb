"""What a window shows of a frame: the picture's own pixels, or the same place in a preview."""

from __future__ import annotations

import base64
import io
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sdtui.tui.renderers import Frame, Renderer
from sdtui.tui.renderers.half_blocks import HalfBlocks
from sdtui.tui.renderers.kitty import Kitty
from sdtui.tui.renderers.quadrants import Quadrants
from sdtui.tui.renderers.scaling import coarser, cut, scaled
from sdtui.tui.renderers.sextants import Sextants
from sdtui.tui.view import ZOOMS, Pane, View

GROUND = (1, 2, 3)
CELL = (10, 20)


def noise(width: int, height: int) -> Frame:
    return Frame(random.Random(0).randbytes(width * height * 3), width, height)


def gradient(side: int) -> Frame:
    """Red grows to the right and green downwards, in the same way at any size."""
    steps = np.linspace(0, 255, side + 1)[:-1] + 255 / side / 2
    red, green = np.meshgrid(steps, steps)
    pixels = np.stack([red, green, np.zeros_like(red)], axis=-1).astype(np.uint8)
    return Frame(pixels.tobytes(), side, side)


def array(frame: Frame) -> np.ndarray:
    return np.frombuffer(frame.rgb, np.uint8).reshape(frame.height, frame.width, 3)


def pane(renderer: Renderer, columns: int = 40, rows: int = 20) -> Pane:
    return Pane(columns, rows, 2.0, renderer.pixels)


@pytest.mark.parametrize("zoom", [1, 2, 3])
@pytest.mark.parametrize("side", [8, 37, 200])
@pytest.mark.parametrize("renderer", [HalfBlocks(), Quadrants(), Sextants(), Kitty(CELL)])
def test_an_exact_window_has_the_pictures_own_pixels(
    renderer: Renderer, side: int, zoom: int
) -> None:
    """Each is as many of the renderer's as every other, and what is left over is ground."""
    picture = noise(side, side)
    view = View(exact=True, zoom=zoom, x=1.0, y=0.25)
    window = view.window(side, side, pane(renderer))
    shown = array(cut(picture, window, (side, side), renderer.pixels, GROUND))

    assert window.enlarged is not None
    across, down = window.enlarged
    left, top = int(window.left), int(window.top)
    width, height = int(window.width), int(window.height)
    part = array(picture)[top : top + height, left : left + width]
    enlarged = part.repeat(across, axis=1).repeat(down, axis=0)
    assert shown.shape[:2] == (
        window.rows * renderer.pixels[1],
        window.columns * renderer.pixels[0],
    )
    assert (shown[: enlarged.shape[0], : enlarged.shape[1]] == enlarged).all()
    assert (shown[enlarged.shape[0] :] == GROUND).all()
    assert (shown[:, enlarged.shape[1] :] == GROUND).all()


def test_half_blocks_show_each_exact_pixel_in_its_colour() -> None:
    picture, renderer = noise(16, 16), HalfBlocks()
    window = View(exact=True).window(16, 16, pane(renderer))
    renderer.draw(
        cut(picture, window, (16, 16), renderer.pixels, GROUND), window.columns, window.rows
    )

    cells = renderer._grid.pixels  # (rows, columns, pixels of a cell, 3)
    assert (cells.swapaxes(1, 2).reshape(16, 16, 3) == array(picture)).all()


def test_kitty_is_sent_each_exact_pixel() -> None:
    picture, renderer = noise(30, 40), Kitty(CELL)
    window = View(exact=True).window(30, 40, pane(renderer))
    renderer.draw(
        cut(picture, window, (30, 40), renderer.pixels, GROUND), window.columns, window.rows
    )
    sent = renderer.changes(0, 0) or ""
    data = "".join(part.split("\x1b")[0].partition(";")[2] for part in sent.split("\x1b_G"))
    with Image.open(io.BytesIO(base64.b64decode(data))) as png:
        assert png.size == (30, 40)
        assert png.tobytes() == picture.rgb


def test_a_whole_fitted_picture_is_left_as_it_is() -> None:
    for frame in (noise(64, 64), noise(8, 8)):
        window = View().window(64, 64, pane(HalfBlocks()))
        assert cut(frame, window, (64, 64), (1, 2), GROUND) is frame


@pytest.mark.parametrize("scale", [0.001, 0.3, 1.0])
def test_a_coarser_picture_has_the_shape_and_no_more_pixels_than_it_may(scale: float) -> None:
    picture = gradient(96)
    small = coarser(picture, scale)
    assert small.width == small.height == max(1, int(96 * scale))
    assert (small is picture) == (scale == 1)
    assert abs(int(array(small)[-1, -1, 0]) - 255) <= 255 / small.width


@given(
    st.sampled_from(ZOOMS),
    st.floats(0, 1),
    st.floats(0, 1),
    st.booleans(),
    st.sampled_from([(1, 2), (2, 3), CELL]),
)
def test_a_preview_shows_the_same_place_as_the_picture(
    zoom: int, x: float, y: float, exact: bool, pixels: tuple[int, int]
) -> None:
    window = View(exact, zoom, x, y).window(128, 128, Pane(60, 20, 2.0, pixels))
    size = window.columns * pixels[0], window.rows * pixels[1]
    ways = [
        scaled(cut(gradient(side), window, (128, 128), pixels, GROUND), *size) for side in (16, 128)
    ]
    preview, picture = (np.asarray(way).astype(int) for way in ways)
    # A pixel of the preview is 16 levels wide, one of the picture 2. The last cell of an exact
    # picture may be ground where its preview goes on, so that this is stretched by as much.
    slack = 12 + (2 * max(pixels) if exact else 0)
    middle = np.s_[size[1] // 4 : size[1] * 3 // 4 + 1, size[0] // 4 : size[0] * 3 // 4 + 1]
    assert np.abs(preview[middle] - picture[middle]).max() <= slack


def test_every_frame_of_any_window_can_be_drawn() -> None:
    chance = random.Random(1)
    for _ in range(200):
        renderer = chance.choice([HalfBlocks(), Quadrants(), Sextants()])
        width, height = chance.randint(1, 300), chance.randint(1, 300)
        view = View(chance.random() < 0.5, chance.choice(ZOOMS), chance.random(), chance.random())
        room = pane(renderer, chance.randint(1, 90), chance.randint(1, 40))
        window = view.window(width, height, room)
        smaller = chance.choice([1, 1, 8])
        frame = noise(max(1, width // smaller), max(1, height // smaller))
        renderer.draw(
            cut(frame, window, (width, height), renderer.pixels, GROUND),
            window.columns,
            window.rows,
        )
        assert len(renderer.strips()) == window.rows
