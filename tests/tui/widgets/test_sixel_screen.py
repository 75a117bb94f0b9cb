"""The tests' own terminal shows pixels until something else is written there."""

from __future__ import annotations

import numpy as np
import pytest

from sdtui.tui.renderers import Frame
from sdtui.tui.renderers.sixel import Sixel
from tests.tui.widgets.sixel_screen import TextAndSixelScreen

CELL = (10, 20)
RED = Frame(bytes((200, 40, 40)) * 64, 8, 8)


def screen_with_a_picture() -> TextAndSixelScreen:
    """A picture of 8 by 3 cells at column 3 and line 2 of a screen with 20 by 10."""
    renderer, screen = Sixel(CELL), TextAndSixelScreen(20, 10, CELL)
    renderer.draw(RED, 8, 3)
    screen.show("\x1b[Hwords" + (renderer.changes(2, 1) or ""))
    return screen


def covered(screen: TextAndSixelScreen) -> np.ndarray:
    """The cells that are all pixels."""
    return (screen.pixels.min(axis=2) >= 0).reshape(10, 20, 20, 10).all(axis=(1, 3))


def test_a_picture_covers_its_cells() -> None:
    assert covered(screen_with_a_picture()).sum() == 8 * 3


@pytest.mark.parametrize(
    ("sent", "left"),
    [
        ("\x1b[1;1Habove", 24),
        ("\x1b[3;5Hfox", 21),
        ("\x1b[3;5H\x1b[41m   \x1b[0m", 21),
        ("\x1b[2J", 0),
    ],
)
def test_text_takes_pixels_away(sent: str, left: int) -> None:
    screen = screen_with_a_picture()
    screen.show(sent)
    assert covered(screen).sum() == left


def test_a_picture_covers_what_was_written() -> None:
    screen = screen_with_a_picture()
    screen.show("\x1b[3;5Hfox")
    renderer = Sixel(CELL)
    renderer.draw(RED, 8, 3)
    screen.show(renderer.changes(2, 1) or "")
    assert covered(screen).sum() == 24
