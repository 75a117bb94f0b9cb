"""What the terminals' tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

_SEQUENCE = Path(__file__).parents[2] / "benchmarks" / "data" / "x0_apple.png"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """The last frame of the benchmark's sequence."""
    with Image.open(_SEQUENCE) as sequence:
        width, height = sequence.size
        sequence.crop((0, height - width, width, height)).save(tmp_path / "picture.png")
    return tmp_path / "picture.png"
