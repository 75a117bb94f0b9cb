"""Kitty and Sixel: what is sent is the picture, once, and leaves nothing behind."""

from __future__ import annotations

import base64
import io
import random
import re

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from sdtui.tui.renderers import Frame
from sdtui.tui.renderers.half_blocks import HalfBlocks
from sdtui.tui.renderers.kitty import MARKS, Kitty
from sdtui.tui.renderers.scaling import scaled
from sdtui.tui.renderers.sixel import Sixel
from sdtui.tui.renderers.sixel_code import Palette, encode
from tests.tui.widgets.sixel_screen import unsixel

CONSOLE = Console(color_system="truecolor", force_terminal=True)
_COMMAND = re.compile(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\")


def noise(width: int, height: int, seed: int = 0) -> Frame:
    return Frame(random.Random(seed).randbytes(width * height * 3), width, height)


def picture_of(sent: str) -> tuple[dict[str, str], Image.Image]:
    """The keys of the first command and the picture of them all."""
    commands = _COMMAND.findall(sent)
    assert [keys.rsplit("m=", 1)[1] for keys, _ in commands] == ["1"] * (len(commands) - 1) + ["0"]
    assert all(len(payload) <= 4096 for _, payload in commands)
    keys = dict(pair.split("=") for pair in commands[0][0].split(","))
    data = base64.b64decode("".join(payload for _, payload in commands))
    return keys, Image.open(io.BytesIO(data))


def test_kitty_gets_the_picture_as_it_is() -> None:
    renderer = Kitty((9, 18))
    frame = noise(64, 64)

    renderer.draw(frame, 40, 20)
    keys, picture = picture_of(renderer.changes(0, 0) or "")

    assert picture.size == (64, 64)
    assert picture.tobytes() == frame.rgb
    assert (keys["a"], keys["U"], keys["c"], keys["r"], keys["q"]) == ("T", "1", "40", "20", "2")


def test_kitty_gets_no_more_pixels_than_it_has() -> None:
    renderer = Kitty((9, 18))

    renderer.draw(noise(512, 512), 10, 5)
    _, picture = picture_of(renderer.changes(0, 0) or "")

    assert picture.size == (90, 90)


def test_kitty_gets_a_picture_that_keys_need_not_wait_for_and_once_a_finer_one() -> None:
    renderer = Kitty((9, 18))
    renderer.draw(noise(128, 128), 40, 20)

    sizes, sent = [], []
    for most in (2_000, 2_000, 5_000, 12_000, 100_000):
        if part := renderer.changes(0, 0, most):
            sizes.append(picture_of(part)[1].size[0])
            sent.append((len(part), renderer.is_sent))
    assert 20 < sizes[0] < 0.5 * sizes[1] < 64
    assert sent[0][0] < 4 * 2_000 + 200
    assert sent[1][0] < 4 * 12_000 + 500
    assert [is_sent for _, is_sent in sent] == [False, True]


def test_kitty_gets_a_preview_once_and_a_small_picture_at_once() -> None:
    renderer = Kitty((9, 18))
    renderer.draw(noise(128, 128), 40, 20, 8)
    assert picture_of(renderer.changes(0, 0, 2_000) or "")[1].size < (128, 128)
    assert renderer.is_sent

    renderer.draw(noise(16, 16), 40, 20)
    assert picture_of(renderer.changes(0, 0, 2_000) or "")[1].size == (16, 16)
    assert renderer.is_sent


def test_a_preview_is_sent_in_coarser_colours_and_the_picture_exactly() -> None:
    renderer = Kitty()
    frame = noise(16, 16)

    renderer.draw(frame, 40, 20, 8)
    _, preview = picture_of(renderer.changes(0, 0) or "")

    off = np.abs(np.asarray(preview).astype(int).reshape(-1) - np.frombuffer(frame.rgb, np.uint8))
    assert 0 < off.max() <= 2


def test_each_placeholder_says_which_part_of_the_picture_it_is_also_after_a_cut() -> None:
    renderer = Kitty()
    renderer.draw(noise(8, 8), 20, 3)
    keys, _ = picture_of(renderer.overlay(0, 0))
    image = int(keys["i"])

    line = renderer.strips()[2]
    left, middle, right = line.divide([5, 12, 20])

    assert [part.cell_length for part in (left, middle, right)] == [5, 7, 8]
    for part, column in ((left, 0), (middle, 5), (right, 12)):
        colour, cells = re.fullmatch(
            r"\x1b\[38;5;(\d+)m(.*)\x1b\[0m", part.render(CONSOLE)
        ).groups()
        assert int(colour) == image & 255
        assert cells.count("\U0010eeee") == part.cell_length
        marks = cells[1:4]
        assert [MARKS.index(mark) for mark in marks] == [2, column, image >> 24]


def test_the_pixels_are_sent_once_and_forgotten_at_the_end() -> None:
    renderer = Kitty()
    assert renderer.end() == ""
    renderer.draw(noise(8, 8), 4, 2)

    first, again = renderer.overlay(0, 0), renderer.overlay(0, 0)

    assert first
    assert again == ""
    image = picture_of(first)[0]["i"]
    assert f"a=d,d=I,q=2,i={image}" in renderer.end()


def test_through_tmux_every_command_is_wrapped() -> None:
    renderer = Kitty(in_tmux=True)
    renderer.draw(noise(64, 64), 40, 20)

    sent = renderer.changes(0, 0) or ""

    wrapped = re.findall(r"\x1bPtmux;((?:\x1b\x1b|[^\x1b])*)\x1b\\", sent)
    assert re.sub(r"\x1bPtmux;((?:\x1b\x1b|[^\x1b])*)\x1b\\", "", sent) == ""
    _, picture = picture_of("".join(wrapped).replace("\x1b\x1b", "\x1b"))
    assert picture.size == (64, 64)


def test_an_export_shows_the_picture_in_half_blocks() -> None:
    for renderer in (Kitty(), Sixel((8, 16))):
        renderer.draw(Frame(bytes([200, 10, 20]) * 16, 4, 4), 4, 2)
        [first, *_] = renderer.strips()[0].crop(1, 2)
        assert first.style.bgcolor.triplet == (200, 10, 20)


@pytest.mark.parametrize("size", [(30, 12), (7, 6), (1, 18), (200, 96)])
def test_sixel_shows_every_pixel_in_nearly_its_colour(size: tuple[int, int]) -> None:
    smooth = scaled(noise(4, 4), *size)

    shown = unsixel(encode(smooth, Palette(smooth, 255)))

    assert shown.shape == (size[1], size[0], 3)
    assert shown.min() >= 0
    off = np.abs(shown - np.asarray(smooth).astype(int))
    assert np.median(off) <= 6
    assert off.mean() <= 8


def test_sixel_fills_its_cells_but_never_the_line_below() -> None:
    renderer = Sixel((9, 17))
    renderer.draw(noise(16, 16), 10, 5)

    sent = renderer.changes(4, 3) or ""

    place, picture = sent.split("\x1bP", 1)
    assert unsixel("\x1bP" + picture).shape == (84, 90, 3)
    # Of the last cells, a pixel is seen below it: that of this picture, and of none before.
    last_row, place = place[: -len("\x1b[4;5H")], place[-len("\x1b[4;5H") :]
    assert place == "\x1b[4;5H"
    half_blocks = HalfBlocks()
    half_blocks.draw(noise(16, 16), 10, 5)
    assert last_row == f"\x1b[8;5H{half_blocks.strips()[-1].encoded}"


def test_sixel_that_fills_its_cells_is_sent_without_half_blocks() -> None:
    renderer = Sixel((10, 18))
    renderer.draw(noise(16, 16), 10, 5)
    assert (renderer.changes(4, 3) or "").startswith("\x1b[4;5H\x1bP")


def test_sixel_is_sent_again_only_when_something_was_painted_over_it() -> None:
    renderer = Sixel((8, 16))
    renderer.draw(noise(8, 8), 4, 2)
    strips = renderer.strips()

    assert renderer.overlay(0, 0)
    assert renderer.overlay(0, 0) == ""
    strips[1].crop(1, 3).render(CONSOLE)
    assert renderer.overlay(0, 0)


@pytest.mark.parametrize(("tolerance", "most"), [(8, 160), (0, 480)])
def test_not_even_noise_takes_more_than_the_link_is_given(tolerance: int, most: int) -> None:
    renderer = Sixel((8, 16))
    renderer.draw(noise(256, 256), 40, 20, tolerance)

    assert len(renderer.overlay(0, 0)) <= most * 40 * 20 + 20


def test_sixel_shows_each_pixel_of_a_picture_that_has_as_many_as_the_terminal() -> None:
    """Pixels side by side differ, so that blocks of them would not do."""
    levels = np.array([30, 90, 150, 210], dtype=np.uint8)
    picture = levels[np.random.default_rng(0).integers(0, 4, (96, 80, 3))]
    picture[:, :, 2] = 90
    renderer = Sixel((8, 16))
    renderer.draw(Frame(picture.tobytes(), 80, 96), 10, 6)

    sent = renderer.overlay(0, 0)

    assert len(sent) > 160 * 10 * 6
    shown = unsixel("\x1bP" + sent.split("\x1bP", 1)[1])
    assert np.abs(shown - picture.astype(int)).max() <= 8
