"""xterm with Sixel, really run: what is on the screen is the picture, pixel by pixel."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.terminals.shown_picture import Place, app_command, distance, reported
from tests.terminals.x_screen import XScreen

pytestmark = pytest.mark.skipif(
    not (shutil.which("xterm") and shutil.which("Xvfb")), reason="needs xterm and Xvfb"
)

SIXEL = ["-ti", "vt340", "-xrm", "XTerm*numColorRegisters: 256"]


def show(screen: XScreen, picture: Path, *options: str) -> tuple[Place, int]:
    """Run the app in an xterm; what it reports, and its process."""
    window = ["-b", "0", "-bw", "0", "-geometry", "80x30+0+0"]
    program = ["-e", "env", "COLORTERM=truecolor", *app_command(picture)]
    terminal = screen.start(["xterm", *options, *window, *program])
    place = reported(picture)
    found = subprocess.run(
        ["pgrep", "-P", str(terminal.pid)], capture_output=True, text=True, check=True
    )
    return place, int(found.stdout.split()[0])


def test_sixel_is_chosen_and_shows_the_picture_and_again_after_a_dialog(
    tmp_path: Path, picture: Path
) -> None:
    with XScreen(tmp_path) as screen:
        place, app = show(screen, picture, *SIXEL)
        assert place["renderer"] == "sixel"

        screen.wait_until(lambda shown: distance(shown, place, picture) < 6, "the picture")
        os.kill(app, signal.SIGUSR1)
        screen.wait_until(lambda shown: distance(shown, place, picture) > 12, "the dialog")
        os.kill(app, signal.SIGUSR1)
        screen.wait_until(lambda shown: distance(shown, place, picture) < 6, "the picture again")


def test_without_graphics_xterm_shows_half_blocks(tmp_path: Path, picture: Path) -> None:
    with XScreen(tmp_path) as screen:
        place, _ = show(screen, picture, "-ti", "vt220")
        assert place["renderer"] == "half"

        screen.wait_until(lambda shown: distance(shown, place, picture) < 20, "half blocks")
