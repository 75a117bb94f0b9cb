"""How long an exported model takes on this CPU: `python -m training.timing [--model FOLDER]`.

Loads it, and draws one picture of 128×128 pixels in 25 steps with guidance, with sdtui's own core
and with diffusers' pipeline in float32, in turns in one process. Imports are not counted.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from sdtui.diffusion.components import load
from sdtui.diffusion.pipeline import text_to_image
from sdtui.params import GenerationParams
from training.export import POCKET
from training.sampling import load_pipeline

PARAMS = GenerationParams(
    prompt="a red apple on a blue background",
    seed=42,
    width=128,
    height=128,
    num_inference_steps=25,
    guidance_scale=5.0,
)


def seconds(work: Callable[[], object]) -> float:
    """How long `work` takes by the clock."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measure(folder: Path, rounds: int) -> list[str]:
    """A line for loading and one for drawing, each the median of the rounds."""
    loading = [seconds(lambda: load(str(folder), "cpu", "float32")) for _ in range(rounds)]
    components, pipeline = load(str(folder), "cpu", "float32"), load_pipeline(folder)

    def with_pipeline() -> None:
        pipeline(
            PARAMS.prompt,
            num_inference_steps=PARAMS.num_inference_steps,
            guidance_scale=PARAMS.guidance_scale,
            generator=torch.Generator().manual_seed(PARAMS.seed),
        )

    def with_core() -> None:
        for _ in text_to_image(components, PARAMS):
            pass

    with_pipeline()
    with_core()
    turns = [(seconds(with_pipeline), seconds(with_core)) for _ in range(rounds)]
    theirs, ours = (statistics.median(part) for part in zip(*turns, strict=True))
    return [
        f"Loading takes {statistics.median(loading):.2f} s with {torch.get_num_threads()} threads.",
        f"Drawing takes {ours:.2f} s, {ours / theirs:.2f} of the {theirs:.2f} s that"
        " StableDiffusionPipeline takes.",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=POCKET)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print("\n".join(measure(arguments.model, arguments.rounds)))


if __name__ == "__main__":
    main()
