"""The loop in its own process, with a real interface attached, against StableDiffusionPipeline.

    python benchmarks/watched_vs_pipeline.py [--rounds N] [--size 256] [--json]

An engine runs the jobs, `sdtui` on a pseudo-terminal of 120 by 40 cells watches them, and previews
are made, sent and painted as often as it asks for them. The pipeline runs alone in this process
while the engine is idle. Both take turns, on a network of random weights whose guided step takes at
least 50 ms on two CPU cores. A step's time is the median over all steps of all rounds; the engine's
is the time from one completed step to the next, previews and their sending included. Ratios are
speeds. That of the means has to be within the limit as well: most steps are told to nobody before
the next preview, and the median knows those alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import sys
import tempfile
import threading
from itertools import pairwise
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks._pseudo_terminal import ANSWERS, SDTUI, cpu_seconds, start
from benchmarks.loop_vs_pipeline import PIPELINE, Race, Times, random_cpu_network
from sdtui.diffusion.components import LoadedComponents, load
from sdtui.engine.client import EngineClient
from sdtui.params import GenerationParams
from sdtui.protocol.events import FINAL_EVENTS, JobSaved, StepCompleted

LIMIT = 1 / 1.03


def save_model(folder: Path) -> LoadedComponents:
    """Write the network in diffusers layout, and load it again as the engine will."""
    components = random_cpu_network()
    shutil.copytree(components.folder, folder, ignore=shutil.ignore_patterns("unet"))
    components.unet.save_pretrained(folder / "unet")
    return load(str(folder), device="cpu", dtype="float32")


class WatchingInterface:
    """`sdtui` on a pseudo-terminal that takes everything and answers what a terminal answers."""

    def __enter__(self) -> WatchingInterface:
        self._process, self._ours = start(SDTUI, 120, 40)
        self.received = 0
        threading.Thread(target=self._drain, daemon=True).start()
        return self

    @property
    def cpu_seconds(self) -> float:
        """What it has cost so far."""
        return cpu_seconds(self._process.pid)

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def _drain(self) -> None:
        # A question may come in two parts.
        tail = b""
        while True:
            try:
                data = os.read(self._ours, 1 << 16)
            except OSError:
                return
            self.received += len(data)
            window = tail + data
            for question, answer in ANSWERS.items():
                count = window.count(question) - tail.count(question)
                os.write(self._ours, answer * count)
            tail = window[-16:]


async def run_job(client: EngineClient, params: GenerationParams) -> tuple[list[float], int]:
    """Seconds from each completed step to the next, and how many previews were made.

    They are made for the interface; but for the last step's, they are sent to nobody else.
    """
    await client.submit(params)
    stamps, previews = [], 0
    async for event in client.events():
        if isinstance(event, StepCompleted):
            stamps.append(event.time)
            previews += event.preview_seconds > 0
        elif isinstance(event, FINAL_EVENTS):
            assert isinstance(event, JobSaved), event
            return [after - before for before, after in pairwise(stamps)], previews
    raise RuntimeError("the engine went away")


async def compare(rounds: int, size: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="sdtui-") as home:
        os.environ["SDTUI_HOME"] = home
        model = Path(home) / "models" / "random"
        race = Race(
            save_model(model),
            GenerationParams(
                prompt="a red apple", model="random", seed=42, width=size, height=size
            ),
        )
        alone, watched = Times(), []
        previews, interface_seconds = 0, 0.0
        with WatchingInterface() as interface:
            client = await EngineClient.connect()
            try:
                await run_job(client, race.params)
                race.run_pipeline(Times())
                painted = interface.received
                for _ in range(rounds):
                    race.run_pipeline(alone)
                    before = interface.cpu_seconds
                    seconds, count = await run_job(client, race.params)
                    interface_seconds += interface.cpu_seconds - before
                    watched.extend(seconds)
                    previews += count
                painted = interface.received - painted
            finally:
                await client.shutdown(force=True)
                await client.close()
    steps_alone = [seconds for steps in alone.rounds for seconds in steps]
    alone_seconds, watched_seconds = statistics.median(steps_alone), statistics.median(watched)
    return {
        "steps": race.params.num_inference_steps,
        "rounds": rounds,
        "pipeline_ms": alone_seconds * 1000,
        "watched_ms": watched_seconds * 1000,
        "interface_ms": interface_seconds * 1000 / len(watched),
        "ratio": alone_seconds / watched_seconds,
        "mean_ratio": statistics.mean(steps_alone) / statistics.mean(watched),
        "previews_a_round": previews / rounds,
        "painted_bytes_a_round": painted / rounds,
    }


def main() -> int:
    """Print the comparison; the exit code says whether it is within the limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contender")
    parser.add_argument("--size", type=int, default=128, help="pixels each way (default 128)")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--threads", type=int, help="torch's CPU threads on both sides")
    options = parser.parse_args()
    if options.threads:
        # The engine's worker reads this, and this process is told besides.
        os.environ["OMP_NUM_THREADS"] = str(options.threads)
        torch.set_num_threads(options.threads)
    result = asyncio.run(compare(options.rounds, options.size))
    # The last step's preview comes unasked.
    assert result["previews_a_round"] > 1, "the interface asked for no preview"
    if options.json:
        print(json.dumps(result))
    else:
        print(f"{PIPELINE}, alone   {result['pipeline_ms']:8.2f} ms a step")
        print(f"engine, with an interface        {result['watched_ms']:8.2f} ms a step")
        print(f"speed {result['ratio']:.3f}, of the means {result['mean_ratio']:.3f}", end="")
        print(f" (at least {LIMIT:.3f} wanted)")
        print(f"the interface used {result['interface_ms']:.2f} ms of CPU a step")
        print(f"{result['previews_a_round']:.0f} previews and ", end="")
        print(f"{result['painted_bytes_a_round']:,.0f} bytes painted a round")
    return 0 if min(result["ratio"], result["mean_ratio"]) >= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
