"""How long OpenMP's threads should wait for each other before they sleep (`engine/cores.py`).

    python benchmarks/waiting_threads.py [--rounds N]

A step of the loop on a network of random weights, with the cores free and while a program keeps one
of them busy: with libgomp's own waits, with brief ones, and with those that a `CoreWatch` chooses
from step to step. They take turns in one process, after a first picture. Ratios are times, against
libgomp's own waits with the cores free.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parent.parent))

import torch

from benchmarks.loop_vs_pipeline import random_cpu_network
from sdtui.diffusion.components import LoadedComponents
from sdtui.diffusion.denoise import DenoisingStep
from sdtui.diffusion.pipeline import text_to_image
from sdtui.engine.cores import BriefWaits, CoreWatch, usable_cores
from sdtui.params import GenerationParams

STEPS = 15
BUSY = "import os; parent = os.getppid()\nwhile os.getppid() == parent: pass"
"""A program that does nothing else, until it is killed or its parent has gone."""


def step_seconds(components: LoadedComponents, look: Callable[[], None]) -> list[float]:
    """Of one picture; `look` is called after each step, and counts in the next."""
    params = GenerationParams(
        prompt="a red apple", seed=42, width=128, height=128, num_inference_steps=STEPS
    )
    seconds, before = [], perf_counter()
    for stage in text_to_image(components, params):
        now = perf_counter()
        if isinstance(stage, DenoisingStep):
            seconds.append(now - before)
            look()
        before = now
    return seconds


@contextmanager
def one_core_busy() -> Iterator[None]:
    """While another program computes."""
    busy = subprocess.Popen([sys.executable, "-c", BUSY])
    try:
        yield
    finally:
        busy.kill()
        busy.wait()


class Contenders:
    """A picture with each way to wait."""

    def __init__(self) -> None:
        self._components = random_cpu_network()
        self._brief = BriefWaits()
        self.libgomp()

    def libgomp(self) -> list[float]:
        """As OpenMP waits when it is left alone."""
        return step_seconds(self._components, lambda: None)

    def brief(self) -> list[float]:
        """Always briefly."""
        self._brief.on()
        try:
            return step_seconds(self._components, lambda: None)
        finally:
            self._brief.off()

    def watched(self) -> list[float]:
        """As the engine does, from libgomp's own waits on."""
        try:
            return step_seconds(self._components, CoreWatch(self._brief).look)
        finally:
            self._brief.off()


def main() -> None:
    """Print a line for each way to wait."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="turns of each contender")
    options = parser.parse_args()
    torch.set_num_threads(min(torch.get_num_threads(), usable_cores()))
    contenders = Contenders()
    ways = {
        "libgomp's own": contenders.libgomp,
        "brief": contenders.brief,
        "as a CoreWatch chooses": contenders.watched,
    }
    free: dict[str, list[float]] = {name: [] for name in ways}
    busy: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, draw in ways.items():
            free[name].extend(draw())
            with one_core_busy():
                busy[name].extend(draw())
    first = statistics.median(free["libgomp's own"])
    print(f"{first * 1000:.1f} ms a step with libgomp's own waits, cores free")
    print("waits                    cores free   one busy   (means)")
    for name in ways:
        medians = [statistics.median(steps[name]) / first for steps in (free, busy)]
        means = [statistics.mean(steps[name]) / first for steps in (free, busy)]
        print(f"{name:23} {medians[0]:10.3f} × {medians[1]:8.3f} ×", end="")
        print(f"   ({means[0]:.3f}, {means[1]:.3f})")


if __name__ == "__main__":
    main()
