"""How soon does another `sdtui` show the running job, and one whose terminal stood still?

    python benchmarks/reattach.py [--times 10] [--stall 60]

The real engine draws with the bundled model, on the cores that the interface has too. An interface
is opened again and again while a job runs: counted is the time from its first paint to the job's
progress. Then a terminal takes no output while jobs run and end; counted are the time of a step
against that with no interface, and the time from the first output that is taken again to the newest
picture.
The exit code says whether all three are within their limits.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from sdtui.engine.client import EngineClient
from sdtui.params import GenerationParams
from sdtui.protocol.events import FINAL_EVENTS, JobSaved, StepCompleted
from tests.terminal import Terminal

ATTACH_SECONDS = 0.3
CATCH_UP_SECONDS = 1.0
MOST_OF_A_STEP = 1.05
"""Nothing is taken from a step: what is beyond 1 is how much two medians differ by themselves."""
STEPS = 200
INTERFACE = [sys.executable, "-m", "sdtui"]


def job(steps: int = STEPS, seed: int = 1) -> GenerationParams:
    return GenerationParams(
        prompt="a red apple", num_inference_steps=steps, seed=seed, width=128, height=128
    )


def seconds_to_attach() -> float:
    """From the first paint of an interface to the progress of the job that runs."""
    with Terminal(INTERFACE, columns=120, lines=40, answers=True) as terminal:
        terminal.wait_for("guidance")
        painted = time.perf_counter()
        terminal.wait_for(f"/{STEPS}")
        return time.perf_counter() - painted


async def attach(client: EngineClient, times: int) -> list[float]:
    """Open the interface so many times, each while a job runs."""
    seconds = []
    for _ in range(times):
        await client.submit(job())
        await until(client, StepCompleted)
        seconds.append(await asyncio.to_thread(seconds_to_attach))
        await client.cancel(client.status.running_job_id or "")
        await until(client, *FINAL_EVENTS)
    return seconds


async def until(client: EngineClient, *kinds: type) -> Sequence[StepCompleted]:
    """The steps up to the next event of one of these kinds."""
    steps = []
    async for event in client.events():
        if isinstance(event, StepCompleted):
            steps.append(event)
        if isinstance(event, kinds):
            return steps
    raise RuntimeError("the engine went away")


async def median_step(client: EngineClient, seconds: float) -> float:
    """Of jobs that are drawn one after the other for so long."""
    begun, steps = time.perf_counter(), []
    while time.perf_counter() - begun < seconds:
        await client.submit(job())
        stamps = [step.time for step in await until(client, JobSaved)]
        steps += [after - before for before, after in pairwise(stamps)]
    return statistics.median(steps)


async def stall(client: EngineClient, seconds: float) -> tuple[float, float]:
    """A step's time while the terminal stands still, against none; and seconds to catch up."""
    alone = await median_step(client, seconds / 2)
    with Terminal(INTERFACE, columns=120, lines=40, answers=True) as terminal:
        await asyncio.to_thread(terminal.wait_for, "ready")
        terminal.freeze()
        during = await median_step(client, seconds)
        # The newest picture is known by its seed.
        await client.submit(job(steps=25, seed=77))
        await until(client, JobSaved)
        begun = time.perf_counter()
        terminal.thaw()
        await asyncio.to_thread(terminal.wait_for, "seed 77 ·")
        await asyncio.to_thread(terminal.wait_for, "done in")
        return during / alone, time.perf_counter() - begun


async def measure(times: int, seconds: float) -> bool:
    """Print what was found; whether it is within the limits."""
    with tempfile.TemporaryDirectory(prefix="sdtui-") as home:
        os.environ["SDTUI_HOME"] = home
        client = await EngineClient.connect()
        try:
            await client.submit(job(steps=2))
            await until(client, JobSaved)
            attached = await attach(client, times)
            step, caught_up = await stall(client, seconds)
        finally:
            await client.shutdown(force=True)
            await client.close()
    median = statistics.median(attached)
    print(f"attached {median:.2f} s after the first paint (up to {max(attached):.2f}), ", end="")
    print(f"at most {ATTACH_SECONDS}")
    print(f"a step takes {step:.3f} times as long while the terminal stands still, ", end="")
    print(f"at most {MOST_OF_A_STEP}")
    print(f"caught up {caught_up:.2f} s after {seconds:.0f} s, at most {CATCH_UP_SECONDS}")
    holds = median <= ATTACH_SECONDS and step <= MOST_OF_A_STEP and caught_up <= CATCH_UP_SECONDS
    print("pass" if holds else "FAIL")
    return holds


def main() -> int:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=10, help="interfaces opened (default 10)")
    parser.add_argument("--stall", type=float, default=60, help="seconds (default 60)")
    arguments = parser.parse_args()
    return int(not asyncio.run(measure(arguments.times, arguments.stall)))


if __name__ == "__main__":
    sys.exit(main())
