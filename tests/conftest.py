"""What every test shares: a home of its own, and the GPU's absence."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# No test is about time, and the machine may be busy.
settings.register_profile("sdtui", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sdtui")

# OpenMP's threads spin while they wait for each other, and on busy cores torch then takes many
# times as long. libgomp reads this when torch is imported.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

# What the tests start has a terminal of its own, whatever they are themselves started in.
for name in ("TMUX", "TMUX_PANE", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "NO_COLOR"):
    os.environ.pop(name, None)


@pytest.fixture(autouse=True)
def sdtui_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty SDTUI_HOME, short enough for a Unix socket's path."""
    home = Path(tempfile.mkdtemp(prefix="sdtui-"))
    monkeypatch.setenv("SDTUI_HOME", str(home))
    yield home
    shutil.rmtree(home, ignore_errors=True)


@functools.cache
def _gpu_is_missing() -> bool:
    import torch

    return not (torch.cuda.is_available() or torch.backends.mps.is_available())


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what is marked `gpu` where there is none; torch is imported only to find that out."""
    if item.get_closest_marker("gpu") and _gpu_is_missing():
        pytest.skip("needs a GPU")
