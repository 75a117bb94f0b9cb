"""Time a step of sdtui's loop against StableDiffusionPipeline, the same work in one run.

    python benchmarks/loop_vs_pipeline.py [--cuda] [--rounds N] [--json]

Three contenders take turns on the same weights in memory: diffusers' pipeline, the loop alone,
and the loop as it is watched (the step's figures and a preview at every step). The networks are
the bundled one, a random one whose guided step takes at least 50 ms on two CPU cores, and with
`--cuda` a random one of Stable Diffusion 1.5's size in float16 at 512x512.

On a CPU a step's time is the median over all steps of all rounds; on a GPU, where much of a step
is launched ahead, it is a round's time over its steps, and the median of the rounds. On a busy
machine the ratio of the CPU times (with `--threads 1`) tells more than that of the clock's.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import Any

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from sdtui.diffusion.components import LoadedComponents, load
from sdtui.diffusion.denoise import DenoisingStep
from sdtui.diffusion.devices import synchronize
from sdtui.diffusion.pipeline import text_to_image
from sdtui.diffusion.preview import PreviewDecoder
from sdtui.diffusion.schedulers import make_scheduler
from sdtui.params import GenerationParams

PIPELINE, LOOP, WATCHED = "StableDiffusionPipeline", "loop", "loop, watched"


@dataclass
class Times:
    """What one contender took: seconds a step in each round, and what it left."""

    rounds: list[list[float]] = field(default_factory=list)
    cpu_rounds: list[list[float]] = field(default_factory=list)
    preview_shares: list[float] = field(default_factory=list)
    latents: torch.Tensor | None = None
    peak_memory: int = 0

    def step_seconds(self, device: torch.device) -> float:
        if device.type == "cpu":
            return statistics.median(seconds for steps in self.rounds for seconds in steps)
        return statistics.median(statistics.mean(steps) for steps in self.rounds)

    def cpu_step_seconds(self) -> float:
        return statistics.median(seconds for steps in self.cpu_rounds for seconds in steps)


@dataclass(frozen=True)
class Result:
    """One network's line of the table. Ratios are speeds: above 1 the loop is faster."""

    network: str
    device: str
    size: str
    steps: int
    rounds: int
    pipeline_ms: float
    loop_ms: float
    watched_ms: float
    loop_ratio: float
    watched_ratio: float
    loop_cpu_ratio: float
    watched_cpu_ratio: float
    pipeline_steps_per_second: float
    preview_share: float
    largest_difference: float
    pipeline_peak_mib: float
    watched_peak_mib: float


def pocket() -> LoadedComponents:
    return load("pocket", device="cpu", dtype="float32")


def random_cpu_network() -> LoadedComponents:
    """The bundled text encoder and VAE around a U-Net of 50 million random weights."""
    components = pocket()
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(128, 256, 384),
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=components.text_encoder.config.hidden_size,
    )
    return replace(components, unet=unet.requires_grad_(False).eval())


def random_stable_diffusion_1_5() -> LoadedComponents:
    """Networks of Stable Diffusion 1.5's shapes, float16 on the GPU, with the real tokenizer."""
    components = pocket()
    torch.manual_seed(0)
    with torch.device("cuda"):
        text_encoder = CLIPTextModel(
            CLIPTextConfig(
                hidden_size=768,
                intermediate_size=3072,
                num_hidden_layers=12,
                num_attention_heads=12,
                projection_dim=768,
            )
        )
        unet = UNet2DConditionModel(cross_attention_dim=768, sample_size=64)
        vae = AutoencoderKL(
            block_out_channels=(128, 256, 512, 512),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
            latent_channels=4,
            sample_size=512,
        )
    for network in (text_encoder, unet, vae):
        network.requires_grad_(False).eval().half()
    return replace(
        components,
        text_encoder=text_encoder,
        unet=unet,
        vae=vae,
        scheduler_config={
            "beta_start": 0.00085,
            "beta_end": 0.012,
            "beta_schedule": "scaled_linear",
            "steps_offset": 1,
            "clip_sample": False,
            "set_alpha_to_one": False,
            "skip_prk_steps": True,
        },
        device=torch.device("cuda"),
        device_name=torch.cuda.get_device_name(),
        dtype=torch.float16,
    )


Stamp = tuple[float, float]


def now() -> Stamp:
    """The clock's time and the process's CPU time, in seconds."""
    return time.perf_counter(), time.process_time()


class Race:
    """One network and its three contenders."""

    def __init__(self, components: LoadedComponents, params: GenerationParams) -> None:
        self.components = components
        self.params = params
        self.previews = PreviewDecoder(components.vae)
        self.pipeline = StableDiffusionPipeline(
            vae=components.vae,
            text_encoder=components.text_encoder,
            tokenizer=components.tokenizer,
            unet=components.unet,
            scheduler=make_scheduler(params.scheduler, components.scheduler_config),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
        self.pipeline.set_progress_bar_config(disable=True)

    def run(self, rounds: int) -> dict[str, Times]:
        """Let the contenders take turns, after one turn each that does not count."""
        contenders: dict[str, Callable[[Times], None]] = {
            PIPELINE: self.run_pipeline,
            LOOP: self._run_loop,
            WATCHED: self._run_watched,
        }
        for contender in contenders.values():
            contender(Times())
        times = {name: Times() for name in contenders}
        for _ in range(rounds):
            for name, contender in contenders.items():
                gc.collect()
                if self.components.device.type == "cuda":
                    torch.cuda.reset_peak_memory_stats()
                contender(times[name])
                if self.components.device.type == "cuda":
                    peak = torch.cuda.max_memory_allocated()
                    times[name].peak_memory = max(times[name].peak_memory, peak)
        return times

    def run_pipeline(self, times: Times) -> None:
        """One turn of diffusers' pipeline, stamped from its own callback."""
        stamps: list[Stamp] = []

        def stamp(_pipeline: Any, _index: int, _timestep: Any, tensors: dict) -> dict:
            stamps.append(now())
            return tensors

        times.latents = self.pipeline(
            self.params.prompt,
            num_inference_steps=self.params.num_inference_steps,
            guidance_scale=self.params.guidance_scale,
            width=self.params.width,
            height=self.params.height,
            generator=torch.Generator("cpu").manual_seed(self.params.seed),
            output_type="latent",
            callback_on_step_end=stamp,
        ).images
        self._finish(times, stamps)

    def _run_loop(self, times: Times) -> None:
        stamps = []
        for step in self._steps():
            stamps.append(now())
            times.latents = step.latents
        self._finish(times, stamps)

    def _run_watched(self, times: Times) -> None:
        stamps, preview_seconds = [], 0.0
        for step in self._steps():
            _ = step.statistics
            started = time.perf_counter()
            self.previews.decode(step.denoised)
            stamps.append(now())
            preview_seconds += stamps[-1][0] - started
            times.latents = step.latents
        self._finish(times, stamps)
        times.preview_shares.append(preview_seconds / (stamps[-1][0] - stamps[0][0]))

    def _steps(self) -> Iterator[DenoisingStep]:
        for stage in text_to_image(self.components, self.params):
            if isinstance(stage, DenoisingStep):
                yield stage
                if stage.step_index == stage.count - 1:
                    return

    def _finish(self, times: Times, stamps: list[Stamp]) -> None:
        synchronize(self.components.device)
        stamps[-1] = now()
        pairs = list(pairwise(stamps))
        times.rounds.append([after[0] - before[0] for before, after in pairs])
        times.cpu_rounds.append([after[1] - before[1] for before, after in pairs])


def measure(name: str, components: LoadedComponents, size: int, rounds: int) -> Result:
    params = GenerationParams(prompt="a red apple", seed=42, width=size, height=size)
    times = Race(components, params).run(rounds)
    expected, latents = times[PIPELINE].latents, times[WATCHED].latents
    assert expected is not None
    assert latents is not None
    seconds = {name: entry.step_seconds(components.device) for name, entry in times.items()}
    cpu_seconds = {name: entry.cpu_step_seconds() for name, entry in times.items()}
    return Result(
        network=name,
        device=components.device_name,
        size=f"{size}x{size}",
        steps=params.num_inference_steps,
        rounds=rounds,
        pipeline_ms=seconds[PIPELINE] * 1000,
        loop_ms=seconds[LOOP] * 1000,
        watched_ms=seconds[WATCHED] * 1000,
        loop_ratio=seconds[PIPELINE] / seconds[LOOP],
        watched_ratio=seconds[PIPELINE] / seconds[WATCHED],
        loop_cpu_ratio=cpu_seconds[PIPELINE] / cpu_seconds[LOOP],
        watched_cpu_ratio=cpu_seconds[PIPELINE] / cpu_seconds[WATCHED],
        pipeline_steps_per_second=1 / seconds[PIPELINE],
        preview_share=statistics.median(times[WATCHED].preview_shares),
        largest_difference=(latents.float() - expected.float()).abs().max().item(),
        pipeline_peak_mib=times[PIPELINE].peak_memory / 2**20,
        watched_peak_mib=times[WATCHED].peak_memory / 2**20,
    )


def show(result: Result) -> None:
    print(f"\n{result.network}, {result.size}, {result.steps} steps, {result.rounds} rounds")
    print(f"on {result.device}")
    print(f"  {PIPELINE:24} {result.pipeline_ms:9.2f} ms a step")
    print(f"  {LOOP:24} {result.loop_ms:9.2f} ms a step, speed {result.loop_ratio:.3f}")
    print(f"  {WATCHED:24} {result.watched_ms:9.2f} ms a step, speed {result.watched_ratio:.3f}")
    print(
        f"  in CPU time: {LOOP} {result.loop_cpu_ratio:.3f}, {WATCHED} "
        f"{result.watched_cpu_ratio:.3f}"
    )
    print(f"  previews take {result.preview_share:.2%} of the watched loop")
    print(f"  largest difference of the latents {result.largest_difference:g}")
    if result.watched_peak_mib:
        print(
            f"  peak memory {result.pipeline_peak_mib:.0f} MiB in the pipeline, "
            f"{result.watched_peak_mib:.0f} MiB in the watched loop"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contender")
    parser.add_argument("--cuda", action="store_true", help="SD 1.5's size on the GPU")
    parser.add_argument("--threads", type=int, help="torch's CPU threads")
    parser.add_argument("--json", action="store_true", help="one JSON object a network")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)

    races = [("pocket", pocket, 128), ("random U-Net for the CPU", random_cpu_network, 128)]
    if options.cuda:
        races.append(("random, of SD 1.5's size", random_stable_diffusion_1_5, 512))
    for name, make_components, size in races:
        result = measure(name, make_components(), size, options.rounds)
        if options.json:
            print(json.dumps(asdict(result)), flush=True)
        else:
            show(result)


if __name__ == "__main__":
    main()
