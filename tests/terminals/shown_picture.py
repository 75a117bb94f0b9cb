"""The pictures that the terminals' tests show, and how near to them a screen comes."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sdtui.tui.renderers import Frame
from sdtui.tui.renderers.scaling import scaled
from tests.terminals.x_screen import XScreen

_PATIENCE_SECONDS = 90.0
Place = dict[str, Any]


@dataclass(frozen=True)
class Pictures:
    """The picture that is shown at first, the one that follows it, and where the app reports."""

    first: Path
    following: Path
    report: Path


def app_command(pictures: Pictures) -> list[str]:
    """What runs the app in a terminal."""
    app = Path(__file__).parent / "picture_app.py"
    paths = (app, pictures.report, pictures.first, pictures.following)
    return [sys.executable, *map(str, paths)]


def reported(pictures: Pictures, renderer: str = "") -> Place:
    """What the app reports, once it does, or once it reports this renderer."""
    report = pictures.report
    end = time.monotonic() + _PATIENCE_SECONDS
    place: Place = {}
    while not place or (renderer and place["renderer"] != renderer):
        assert time.monotonic() < end, f"the app never reported it; at last: {place}"
        time.sleep(0.1)
        place = json.loads(report.read_text()) if report.exists() else {}
    return place


def expected(picture: Path, width: int, height: int) -> np.ndarray:
    """The picture at a size in pixels: (height, width, RGB)."""
    with Image.open(picture) as image:
        frame = Frame(image.tobytes(), *image.size)
    return np.asarray(scaled(frame, width, height)).astype(int)


def distance(shown: np.ndarray, place: Place, picture: Path) -> float:
    """The mean difference between what is shown at a place and the picture."""
    x, y, columns, rows = place["region"]
    width, height = place["cell"]
    # The last lines, fewer than six, may be the cells below a Sixel picture.
    lines = rows * height - 6
    found = shown[y * height : y * height + lines, x * width : (x + columns) * width]
    wanted = expected(picture, columns * width, rows * height)[:lines]
    return float(np.abs(found - wanted).mean())


def check_what_comes_and_goes(
    screen: XScreen, place: Place, pictures: Pictures, nearest: float
) -> None:
    """The picture, a dialog over it, the picture again, and the one that follows."""

    def is_shown(picture: Path) -> Callable[[np.ndarray], bool]:
        return lambda shown: distance(shown, place, picture) < nearest

    def is_hidden(shown: np.ndarray) -> bool:
        return not is_shown(pictures.first)(shown)

    app = place["process"]
    screen.wait_until(is_shown(pictures.first), "the picture")
    os.kill(app, signal.SIGUSR1)
    screen.wait_until(is_hidden, "the dialog")
    os.kill(app, signal.SIGUSR1)
    screen.wait_until(is_shown(pictures.first), "the picture again")
    os.kill(app, signal.SIGUSR2)
    screen.wait_until(is_shown(pictures.following), "the picture that follows")
