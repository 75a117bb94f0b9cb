"""A disk of a few megabytes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A file system of its own at `folder`; the test is skipped where none can be mounted."""
    folder.mkdir(mode=0o700, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "sdtui-test", str(folder)]
    try:
        mounting = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no `mount` here")
    if mounting.returncode:
        pytest.skip(f"no small disk can be mounted: {mounting.stderr.strip()}")
    try:
        yield
    finally:
        # Lazily: an engine that is about to be ended may still have files open there.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
