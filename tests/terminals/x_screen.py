"""A screen of its own for terminals that need X, and what can be seen on it."""

from __future__ import annotations

import os
import struct
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from PIL import Image

_PATIENCE_SECONDS = 90.0


class XScreen:
    """Xvfb on a display that is free, and the programs that were started on it."""

    def __init__(self, folder: Path, width: int = 900, height: int = 700) -> None:
        self._folder = folder
        read, write = os.pipe()
        self._programs = [
            subprocess.Popen(
                [
                    *("Xvfb", "-displayfd", str(write), "-nolisten", "tcp"),
                    *("-screen", "0", f"{width}x{height}x24", "-fbdir", str(folder)),
                ],
                pass_fds=[write],
                stderr=subprocess.DEVNULL,
            )
        ]
        os.close(write)
        with os.fdopen(read) as answer:
            self._display = f":{answer.readline().strip()}"

    def __enter__(self) -> XScreen:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for program in reversed(self._programs):
            program.kill()
            program.wait()

    def start(self, command: Sequence[str], **variables: str) -> subprocess.Popen[bytes]:
        """Start a program on this screen."""
        environment = {**os.environ, "DISPLAY": self._display, **variables}
        program = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        self._programs.append(program)
        return program

    def pixels(self) -> np.ndarray:
        """What the screen shows: (height, width, RGB). Xvfb keeps it in a file in XWD's format."""
        content = (self._folder / "Xvfb_screen0").read_bytes()
        header = struct.unpack(">25I", content[:100])
        size, width, height, line, colours = (header[place] for place in (0, 4, 5, 12, 19))
        start = size + colours * 12
        lines = np.frombuffer(content[start : start + line * height], np.uint8)
        bgrx = lines.reshape(height, line)[:, : width * 4].reshape(height, width, 4)
        return bgrx[:, :, 2::-1].astype(int)

    def wait_until(self, holds: Callable[[np.ndarray], bool], what: str) -> None:
        """Look at the screen until it is as it should be."""
        end = time.monotonic() + _PATIENCE_SECONDS
        while not holds(self.pixels()):
            if time.monotonic() > end:
                raise AssertionError(f"{what} never was to be seen")
            time.sleep(0.1)

    def save(self, path: Path) -> None:
        """Write what is on the screen as a picture, without the empty part beside it."""
        pixels = self.pixels()
        seen = pixels.any(axis=2)
        height, width = (int(np.flatnonzero(seen.any(axis=axis))[-1]) + 1 for axis in (1, 0))
        Image.fromarray(pixels[:height, :width].astype(np.uint8)).save(path, optimize=True)

    def wait_until_still(self) -> None:
        """Wait until nothing has changed for a second."""
        before = None
        while before is None or (self.pixels() != before).any():
            before = self.pixels()
            time.sleep(1)
