"""The picture that the terminals' tests show, and how near to it a screen comes."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sdtui.tui.renderers import Frame
from sdtui.tui.renderers.scaling import scaled

_PATIENCE_SECONDS = 90.0
Place = dict[str, Any]


def app_command(picture: Path) -> list[str]:
    """What runs the app in a terminal; its report goes beside the picture."""
    app = Path(__file__).parent / "picture_app.py"
    return [sys.executable, str(app), str(picture), str(picture.with_name("report.json"))]


def reported(picture: Path) -> Place:
    """What the app reports, once it does."""
    report = picture.with_name("report.json")
    end = time.monotonic() + _PATIENCE_SECONDS
    while not report.exists():
        assert time.monotonic() < end, "the app never reported"
        time.sleep(0.1)
    return json.loads(report.read_text())


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
