"""tmux, really run: it keeps the picture's cells, and says what the terminal outside can do."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.terminals.shown_picture import Pictures, app_command, expected, reported

pytestmark = pytest.mark.skipif(not shutil.which("tmux"), reason="needs tmux")

COLUMNS, ROWS = 80, 24


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[list[str]]:
    """The beginning of every command to a server of the test's own."""
    command = ["tmux", "-S", str(tmp_path / "socket"), "-f", "/dev/null"]
    yield command
    subprocess.run([*command, "kill-server"], check=False, capture_output=True)


def captured(tmux: list[str]) -> list[str]:
    """The lines of tmux's screen with their colours."""
    command = [*tmux, "capture-pane", "-e", "-p", "-N"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def shown_pixels(lines: list[str]) -> np.ndarray:
    """The colours of half blocks in what tmux captured: (rows, columns, 2, RGB)."""
    pixels = np.full((ROWS, COLUMNS, 2, 3), -1)
    # tmux says a colour where it changes, also from one line to the next.
    ink = paper = (-1, -1, -1)
    for row, line in enumerate(lines):
        column = 0
        for sequence, character in re.findall(r"\x1b\[([\d;]*)m|(.)", line):
            if character:
                upper = ink if character in "▀█" else paper
                lower = ink if character in "▄█" else paper
                pixels[row, column] = upper, lower
                column += 1
                continue
            for kind, *rgb in re.findall(r"(38|48);2;(\d+);(\d+);(\d+)", sequence):
                colour = tuple(int(part) for part in rgb)
                ink, paper = (colour, paper) if kind == "38" else (ink, colour)
    return pixels


def test_a_picture_in_half_blocks_is_what_tmux_has_on_its_screen(
    tmux: list[str], pictures: Pictures
) -> None:
    program = "COLORTERM=truecolor " + shlex.join(app_command(pictures))
    size = ["-x", str(COLUMNS), "-y", str(ROWS)]
    subprocess.run([*tmux, "new-session", "-d", *size, program], check=True)
    place = reported(pictures)
    x, y, columns, rows = place["region"]
    wanted = expected(pictures.first, columns, rows * 2).reshape(rows, 2, columns, 3).swapaxes(1, 2)

    assert place["renderer"] == "half"
    end = time.monotonic() + 90
    while (shown_pixels(captured(tmux))[y : y + rows, x : x + columns] != wanted).any():
        assert time.monotonic() < end, "the picture never was on tmux's screen"
        time.sleep(0.1)
