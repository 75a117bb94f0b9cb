"""xterm with Sixel, really run: what is on the screen is the picture, pixel by pixel."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.terminals.shown_picture import (
    Pictures,
    Place,
    app_command,
    check_what_comes_and_goes,
    reported,
)
from tests.terminals.x_screen import XScreen

pytestmark = pytest.mark.skipif(
    not (shutil.which("xterm") and shutil.which("Xvfb")), reason="needs xterm and Xvfb"
)

SIXEL = ["-ti", "vt340", "-xrm", "XTerm*numColorRegisters: 256"]


def show(screen: XScreen, pictures: Pictures, *options: str) -> Place:
    """Run the app in an xterm; what it reports."""
    window = ["-b", "0", "-bw", "0", "-geometry", "80x30+0+0"]
    program = ["-e", "env", "COLORTERM=truecolor", *app_command(pictures)]
    screen.start(["xterm", *options, *window, *program])
    return reported(pictures)


def test_sixel_is_chosen_and_shows_pictures_and_again_after_a_dialog(
    tmp_path: Path, pictures: Pictures
) -> None:
    with XScreen(tmp_path) as screen:
        place = show(screen, pictures, *SIXEL)
        assert place["renderer"] == "sixel"
        check_what_comes_and_goes(screen, place, pictures, nearest=9)


def test_without_graphics_xterm_shows_half_blocks(tmp_path: Path, pictures: Pictures) -> None:
    with XScreen(tmp_path) as screen:
        place = show(screen, pictures, "-ti", "vt220")
        assert place["renderer"] == "half"
        check_what_comes_and_goes(screen, place, pictures, nearest=20)
