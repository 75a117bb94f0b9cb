"""A look at the worker from outside: one that is stopped or hangs does not say so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from sdtui.engine.exit_causes import STOPPED, hung
from sdtui.engine.patience import Patience
from sdtui.engine.worker_process import WorkerProcess


class ProcessState(NamedTuple):
    """What the kernel knows: `letter` as `ps` shows it, and the CPU time used by all threads."""

    letter: str
    cpu_ticks: int


def process_state(pid: int) -> ProcessState | None:
    """The state of a process, None where it is gone or the system is not Linux."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    # The name before the last bracket may hold anything.
    fields = text.rpartition(")")[2].split()
    return ProcessState(fields[0], int(fields[11]) + int(fields[12]))


def memory_pages(pid: int) -> int | None:
    """How much memory a process holds; None where it is gone or the system is not Linux.

    It changes all the while that a model is read, and not while a device is waited for, though that
    may take CPU time.
    """
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return None


async def replace_if_stuck(
    process: WorkerProcess, is_drawing: Callable[[], bool], patience: Patience
) -> None:
    """Kill the worker when it is stopped, or hangs while it draws; returns when it has ended.

    Silence proves nothing: a step may take minutes on a slow CPU. But a step computes, so a
    worker that sleeps, or sits in a driver, through `patience.hang` while `is_drawing` waits for
    what never comes. A stop is believed at the second look, as a debugger's is over by then. One
    that waits for its device by asking it again and again looks like one that computes.
    """
    last: ProcessState | None = None
    at_work_since = time.monotonic()
    while (state := process_state(process.pid)) is not None and process.returncode is None:
        if last is not None and last.letter == state.letter == "T":
            process.kill(STOPPED)
        if not is_drawing() or state != last or state.letter not in "SD":
            at_work_since = time.monotonic()
        elif time.monotonic() - at_work_since >= patience.hang:
            process.kill(hung(patience.hang))
        last = state
        await asyncio.sleep(patience.worker_look)
