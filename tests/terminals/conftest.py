"""What the terminals' tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.engine.conftest import engine_home, real_engine
from tests.terminals.shown_picture import Pictures

__all__ = ["engine_home", "real_engine"]

_DATA = Path(__file__).parents[2] / "benchmarks" / "data"


def _last_frame(name: str, folder: Path) -> Path:
    with Image.open(_DATA / f"{name}.png") as sequence:
        width, height = sequence.size
        sequence.crop((0, height - width, width, height)).save(folder / f"{name}.png")
    return folder / f"{name}.png"


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    """The last frames of the benchmark's sequences."""
    apple, hamburger = (_last_frame(name, tmp_path) for name in ("x0_apple", "x0_hamburger"))
    return Pictures(apple, hamburger, tmp_path / "report.json")
