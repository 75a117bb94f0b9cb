"""How long OpenMP's threads should wait for each other before they sleep (`share_cores`).

    python benchmarks/waiting_threads.py [--counts 3000 10000 30000] [--rounds N]

A step of the loop on a network of random weights, with the cores free and while a program keeps one
of them busy, for several values of GOMP_SPINCOUNT. OpenMP reads it once, so each has a process of
its own; they take turns. Ratios are times, against the first count with the cores free.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parent.parent))

STEPS = 15
BUSY = "import os; parent = os.getppid()\nwhile os.getppid() == parent: pass"
"""A program that does nothing else, until it is killed or its parent has gone."""


def step_seconds() -> dict[str, list[float]]:
    """Of one picture with the cores free and one beside a busy program, after a first one."""
    import torch

    from benchmarks.loop_vs_pipeline import random_cpu_network
    from sdtui.diffusion.denoise import DenoisingStep
    from sdtui.diffusion.pipeline import text_to_image
    from sdtui.engine.worker import usable_cores
    from sdtui.params import GenerationParams

    torch.set_num_threads(min(torch.get_num_threads(), usable_cores()))
    components = random_cpu_network()
    params = GenerationParams(
        prompt="a red apple", seed=42, width=128, height=128, num_inference_steps=STEPS
    )

    def draw() -> list[float]:
        seconds, before = [], perf_counter()
        for stage in text_to_image(components, params):
            now = perf_counter()
            if isinstance(stage, DenoisingStep):
                seconds.append(now - before)
            before = now
        return seconds

    draw()
    free = draw()
    busy = subprocess.Popen([sys.executable, "-c", BUSY])
    try:
        return {"free": free, "busy": draw()}
    finally:
        busy.kill()
        busy.wait()


def measure(count: int) -> dict[str, list[float]]:
    """`step_seconds` of a process that waits so long."""
    environment = os.environ | {"GOMP_SPINCOUNT": str(count)}
    command = [sys.executable, __file__, "--one"]
    output = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout
    return json.loads(output)


def main() -> None:
    """Print a line for each count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[3000, 10000, 30000])
    parser.add_argument("--rounds", type=int, default=2, help="turns of each count")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(step_seconds()))
        return
    found: dict[int, dict[str, list[float]]] = {
        count: {"free": [], "busy": []} for count in options.counts
    }
    for _ in range(options.rounds):
        for count, steps in found.items():
            for name, seconds in measure(count).items():
                steps[name].extend(seconds)
    first = statistics.median(found[options.counts[0]]["free"])
    print(f"{first * 1000:.1f} ms a step for {options.counts[0]:,} turns, cores free")
    print("  turns   cores free   one busy")
    for count, steps in found.items():
        free, busy = (statistics.median(steps[name]) / first for name in ("free", "busy"))
        print(f"{count:7,} {free:10.3f} × {busy:8.3f} ×")


if __name__ == "__main__":
    main()
