"""kitty, really run: it answers what it is, and shows the picture as well as its version can."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.terminals.shown_picture import app_command, distance, reported
from tests.terminals.x_screen import XScreen

pytestmark = pytest.mark.skipif(
    not (shutil.which("kitty") and shutil.which("Xvfb")), reason="needs kitty and Xvfb"
)


def version() -> tuple[int, ...]:
    """Kitty's version."""
    told = subprocess.run(["kitty", "--version"], capture_output=True, text=True, check=True)
    return tuple(int(part) for part in re.findall(r"\d+", told.stdout)[:2])


OPTIONS = {
    "remember_window_size": "no",
    "initial_window_width": "80c",
    "initial_window_height": "30c",
    "window_margin_width": "0",
}


def test_kitty_shows_the_picture_as_well_as_it_can(tmp_path: Path, picture: Path) -> None:
    options = [word for name, value in OPTIONS.items() for word in ("-o", f"{name}={value}")]
    command = ["kitty", "--config", "NONE", *options, *app_command(picture)]
    with XScreen(tmp_path) as screen:
        screen.start(command, LIBGL_ALWAYS_SOFTWARE="1")
        place = reported(picture)

        assert place["answers"]["kitty"]
        assert place["answers"]["name"].startswith("kitty(")
        # Unicode placeholders came with 0.28.
        assert place["renderer"] == ("kitty" if version() >= (0, 28) else "half")
        screen.wait_until(lambda shown: distance(shown, place, picture) < 20, "the picture")
