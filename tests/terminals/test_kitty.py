"""kitty, really run: it answers what it is, and shows pictures as well as its version can.

Unicode placeholders came with 0.28, and Debian's stable kitty has long been older; they were seen
with kitty 0.41.1 and tmux 3.5a of the next Debian, on Mesa's software renderer.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.terminals.shown_picture import (
    Pictures,
    app_command,
    check_what_comes_and_goes,
    reported,
)
from tests.terminals.x_screen import XScreen

pytestmark = pytest.mark.skipif(
    not (shutil.which("kitty") and shutil.which("Xvfb")), reason="needs kitty and Xvfb"
)

OPTIONS = {
    "remember_window_size": "no",
    "initial_window_width": "80c",
    "initial_window_height": "30c",
    "window_margin_width": "0",
}


def version() -> tuple[int, ...]:
    """Kitty's version."""
    told = subprocess.run(["kitty", "--version"], capture_output=True, text=True, check=True)
    return tuple(int(part) for part in re.findall(r"\d+", told.stdout)[:2])


def has_placeholders() -> bool:
    """Whether this kitty knows them."""
    return version() >= (0, 28)


def start(screen: XScreen, program: Sequence[str]) -> None:
    """Run a program in kitty."""
    options = [word for name, value in OPTIONS.items() for word in ("-o", f"{name}={value}")]
    command = ["kitty", "--config", "NONE", *options, *program]
    screen.start(command, LIBGL_ALWAYS_SOFTWARE="1")


def test_kitty_shows_pictures_as_well_as_it_can(tmp_path: Path, pictures: Pictures) -> None:
    with XScreen(tmp_path) as screen:
        start(screen, app_command(pictures))
        place = reported(pictures, "kitty" if has_placeholders() else "half")

        assert place["answers"]["kitty"] is has_placeholders()
        assert place["answers"]["name"].startswith("kitty(")
        nearest = 3 if has_placeholders() else 20
        check_what_comes_and_goes(screen, place, pictures, nearest)


def test_kitty_shows_pictures_through_tmux(tmp_path: Path, pictures: Pictures) -> None:
    if not (has_placeholders() and shutil.which("tmux")):
        pytest.skip(f"needs tmux, and placeholders, which kitty {version()} has not")
    configuration = tmp_path / "tmux.conf"
    configuration.write_text("set -g allow-passthrough on\nset -g status off\n")
    command = ["tmux", "-S", str(tmp_path / "socket"), "-f", str(configuration)]
    try:
        with XScreen(tmp_path) as screen:
            start(screen, [*command, "new-session", shlex.join(app_command(pictures))])
            place = reported(pictures, "kitty")
            check_what_comes_and_goes(screen, place, pictures, nearest=3)
    finally:
        subprocess.run([*command, "kill-server"], check=False, capture_output=True)
