"""The CPU cores that a model computes on, and what changes when other programs want them too."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

CROWDED = 0.33
"""Seconds that one of the threads has waited for a core, in each second. A program that keeps one
of two cores busy makes 0.43 to 0.45, and 0.35 to 0.39 while waits are brief."""
FREE = 0.28
"""The interface makes 0.03 on two cores, and up to 0.25 while twenty keys a second are typed."""
LOOK_SECONDS = 0.5


def usable_cores() -> int:
    """CPU cores that this process may keep busy: its affinity and its container's quota.

    torch looks at neither quota, and threads beyond it slow one another down.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    quota = Path("/sys/fs/cgroup/cpu.max")
    if quota.is_file():
        limit, period = quota.read_text(encoding="ascii").split()
        if limit != "max":
            cores = min(cores, max(1, int(limit) // int(period)))
    return cores


def seconds_waited() -> dict[str, float]:
    """By thread of this process: how long it could have run and had no core (Linux).

    The second field of schedstat (Documentation/scheduler/sched-stats.rst). Elsewhere it is empty.
    Threads that give way to all others, as the one that hashes a model does, are left out.
    """
    waited = {}
    niceness = os.getpriority(os.PRIO_PROCESS, os.getpid())
    for task in Path("/proc/self/task").glob("*"):
        try:
            if os.getpriority(os.PRIO_PROCESS, int(task.name)) > niceness:
                continue
            fields = (task / "schedstat").read_text(encoding="ascii").split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        waited[task.name] = int(fields[1]) / 1e9
    return waited


class Switch(Protocol):
    """What a `CoreWatch` turns on while cores are crowded, and off again; either any number of
    times.
    """

    def on(self) -> None:
        """Have it on from now on."""

    def off(self) -> None:
        """Have it off from now on."""


class BriefWaits:
    """While on, OpenMP's threads sleep almost at once when they wait for each other.

    They do so hundreds of times a step, and spin for milliseconds before they sleep, which is right
    while the cores are free: to be woken takes its time. While another program uses one of the
    cores, spinning keeps the thread that is waited for off its core. libgomp shortens it from
    300,000 turns to 100 when it manages more threads than there are cores (its manual, on
    GOMP_SPINCOUNT); so here it gets a team of as many that do nothing, whose master sleeps.
    `benchmarks/waiting_threads.py` measures both.

    Nothing happens before torch is imported, where it computes without libgomp, and where a
    container's quota is smaller than its cores: the team would have one thread more than there are
    of these, and libgomp ends a process that may not have so many.
    """

    def __init__(self) -> None:
        self._end: threading.Event | None = None

    def on(self) -> None:
        """Make the team, whose threads sleep until it ends."""
        library = _libgomp()
        if self._end is not None or library is None:
            return
        cores = library.omp_get_num_procs()
        if usable_cores() < cores:
            return
        is_there, end = threading.Event(), threading.Event()
        # One more than there are cores, whatever the other teams' size.
        arguments = (library, cores + 1, is_there, end)
        threading.Thread(target=_hold_team, args=arguments, daemon=True).start()
        self._end = end
        is_there.wait()

    def off(self) -> None:
        """Let the team end."""
        if self._end is not None:
            self._end.set()
            self._end = None


class CoreWatch:
    """Sees while a model on the CPU draws whether other programs use its cores, and has its threads
    wait as long for each other as is right then.
    """

    def __init__(
        self,
        brief_waits: Switch | None = None,
        clock: Callable[[], float] = time.monotonic,
        waited: Callable[[], dict[str, float]] = seconds_waited,
    ) -> None:
        self._brief_waits = brief_waits or BriefWaits()
        self._clock = clock
        self._waited = waited
        self.begin()

    def begin(self) -> None:
        """A picture begins: what was before it says nothing."""
        self._began = self._clock()
        self._waited_then = self._waited()

    def look(self) -> None:
        """A step has ended."""
        seconds = self._clock() - self._began
        if seconds < LOOK_SECONDS:
            return
        before = self._waited_then
        self.begin()
        # A step is as slow as its slowest thread; the sum would grow with the number of cores.
        waited = [now - before.get(thread, now) for thread, now in self._waited_then.items()]
        share = max(waited, default=0.0) / seconds
        if share > CROWDED:
            self._brief_waits.on()
        elif share < FREE:
            self._brief_waits.off()


def _libgomp() -> ctypes.CDLL | None:
    """What torch computes with, unless it is LLVM's library: that has the same entry, and waits in
    another way.
    """
    library = ctypes.CDLL(None)
    is_llvm = hasattr(library, "__kmpc_fork_call")
    return library if hasattr(library, "GOMP_parallel") and not is_llvm else None


def _hold_team(
    library: ctypes.CDLL, size: int, is_there: threading.Event, end: threading.Event
) -> None:
    """Be the master of a team of OpenMP's threads; it ends with this thread.

    Each of them frees a null pointer, which is all that C's own `free` can be asked to do for
    nothing.
    """
    library.GOMP_parallel(library.free, None, ctypes.c_uint(size), ctypes.c_uint(0))
    is_there.set()
    end.wait()
