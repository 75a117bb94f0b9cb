"""Looking at real processes, and waiting for them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

FAKE_ENGINE = (sys.executable, str(Path(__file__).with_name("fake_engine.py")))
"""The command of an engine whose worker is a FakeWorker."""


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Return as soon as the condition holds, which it must before long."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that ended and was not waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def sdtui_processes(home: str) -> list[list[str]]:
    """The commands of all that runs of sdtui with this SDTUI_HOME, wherever it was started."""
    commands = []
    for process in Path("/proc").iterdir():
        try:
            environment = (process / "environ").read_bytes().split(b"\0")
            command = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
        except OSError:
            # No process, another user's, or one that has just ended.
            continue
        is_sdtui = any(word.partition(".")[0] == "sdtui" for word in command)
        if is_sdtui and f"SDTUI_HOME={home}".encode() in environment:
            commands.append(command)
    return commands


def children(pid: int) -> list[int]:
    """The running children of a process."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split() if is_alive(int(child))]
