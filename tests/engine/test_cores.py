"""The worker's threads wait briefly for each other while other programs want the same cores."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sdtui.engine import cores
from sdtui.engine.cores import (
    CROWDED,
    FREE,
    LOOK_SECONDS,
    BriefWaits,
    CoreWatch,
    seconds_waited,
    usable_cores,
)

needs_schedstat = pytest.mark.skipif(
    not Path("/proc/self/schedstat").is_file(), reason="needs the kernel's schedstat (Linux)"
)


def run(program: str) -> str:
    """What a Python program prints that waits as libgomp does when it is left alone."""
    chosen = {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"}
    environment = {name: value for name, value in os.environ.items() if name not in chosen}
    return subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        check=True,
        text=True,
        timeout=100,
    ).stdout


def test_the_cores_are_those_that_this_process_may_use() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


class FakeMachine:
    """A clock, threads that wait for cores, and a switch."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waited = {"1": 7.0, "2": 0.0}
        self.is_on = False

    def on(self) -> None:
        self.is_on = True

    def off(self) -> None:
        self.is_on = False

    def watch(self) -> CoreWatch:
        return CoreWatch(self, lambda: self.now, lambda: dict(self.waited))

    def step(self, seconds: float, share: float, thread: str = "2") -> None:
        """Let time pass, in which a thread waits for so large a part of it."""
        self.now += seconds
        self.waited[thread] += seconds * share


def test_the_waits_are_brief_from_a_crowded_step_to_a_free_one() -> None:
    machine = FakeMachine()
    watch = machine.watch()
    chosen = []
    little, between, much = 0.9 * FREE, (FREE + CROWDED) / 2, 1.1 * CROWDED
    for share in (0.0, between, much, between, much, between, little, between):
        machine.step(LOOK_SECONDS, share)
        watch.look()
        chosen.append(machine.is_on)
    assert chosen == [False, False, True, True, True, True, False, False]


def test_short_steps_are_looked_at_together() -> None:
    machine = FakeMachine()
    watch = machine.watch()
    for _ in range(7):
        machine.step(LOOK_SECONDS / 8, 1.0)
        watch.look()
    assert not machine.is_on
    machine.step(LOOK_SECONDS / 8, 0.0)
    watch.look()
    assert machine.is_on


def test_what_many_threads_wait_a_little_is_not_crowded() -> None:
    machine = FakeMachine()
    watch = machine.watch()
    machine.step(LOOK_SECONDS, 0.0)
    for thread in machine.waited:
        machine.waited[thread] += 0.9 * CROWDED * LOOK_SECONDS
    watch.look()
    assert not machine.is_on


def test_the_time_between_two_pictures_does_not_count() -> None:
    machine = FakeMachine()
    machine.on()
    watch = machine.watch()
    machine.step(600, 0.0)
    watch.begin()
    machine.step(LOOK_SECONDS, 1.0)
    watch.look()
    assert machine.is_on


def test_threads_that_come_and_go_are_counted_while_they_are_there() -> None:
    machine = FakeMachine()
    watch = machine.watch()
    del machine.waited["1"]
    machine.waited["3"] = 1000.0
    machine.step(LOOK_SECONDS, 0.0)
    watch.look()
    assert not machine.is_on
    machine.step(LOOK_SECONDS, 1.0, thread="3")
    watch.look()
    assert machine.is_on


@needs_schedstat
def test_a_thread_that_gives_way_to_all_others_is_not_counted() -> None:
    counted: list[bool] = []

    def wait_politely() -> None:
        thread = str(threading.get_native_id())
        counted.append(thread in seconds_waited())
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        counted.append(thread in seconds_waited())

    polite = threading.Thread(target=wait_politely)
    polite.start()
    polite.join()
    assert counted == [True, False]


def test_no_team_is_made_where_a_quota_is_smaller_than_the_cores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import torch

    torch.rand(1)
    monkeypatch.setattr(cores, "usable_cores", lambda: 0)
    threads = threading.active_count()
    BriefWaits().on()
    assert threading.active_count() == threads


WAITING = """
import time
import torch
from sdtui.engine.cores import BriefWaits

def cpu_seconds():
    "Of waits for the next operation."
    numbers = torch.rand(100_000)
    numbers.exp_()
    before = time.process_time()
    for _ in range(20):
        time.sleep(0.02)
        numbers.exp_()
    return time.process_time() - before

torch.set_num_threads(2)
waits = BriefWaits()
found = []
for switch in (waits.off, waits.on, waits.on, waits.off, waits.off):
    switch()
    found.append(cpu_seconds())
print(*found)
"""


@pytest.mark.skipif(
    sys.platform != "linux" or usable_cores() < 2, reason="needs libgomp and two cores"
)
def test_brief_waits_use_less_of_the_cores_and_are_taken_back() -> None:
    libgomp, brief, again, *own = (float(seconds) for seconds in run(WAITING).split())
    assert max(brief, again) < min(libgomp, *own) / 2


CROWDED_CORE = """
import os, threading
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import torch
from sdtui.engine.cores import CoreWatch

torch.set_num_threads(2)
watch = CoreWatch()
numbers = torch.rand(1_000_000)
threads = threading.active_count()
while threading.active_count() == threads:
    numbers.exp()
    watch.look()
"""


@needs_schedstat
def test_a_crowded_core_is_noticed() -> None:
    run(CROWDED_CORE)
