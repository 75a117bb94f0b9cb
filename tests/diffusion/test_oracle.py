"""The latents of the hand-written loop equal those of StableDiffusionPipeline, bit for bit."""

from __future__ import annotations

import pytest
import torch
from diffusers import StableDiffusionPipeline

from sdtui.diffusion.components import LoadedComponents, load
from sdtui.diffusion.decode import DecodedImage
from sdtui.diffusion.pipeline import text_to_image
from sdtui.params import SCHEDULERS, GenerationParams
from tests.diffusion.oracle import final_latents, make_pipeline, pipeline_output

STEPS = (1, 5, 25)
CASES = [
    *((name, 1.0, "", (96, 64)) for name in SCHEDULERS),
    *((name, 7.5, "", (64, 64)) for name in SCHEDULERS),
    *((name, 7.5, "blurry", (96, 64)) for name in SCHEDULERS),
    # Without guidance no scheduler sees what a negative prompt says.
    ("UniPC", 1.0, "blurry", (64, 64)),
]
"""Scheduler, guidance scale, negative prompt and size."""


@pytest.fixture(scope="module")
def pipeline(components: LoadedComponents) -> StableDiffusionPipeline:
    return make_pipeline(components)


@pytest.mark.parametrize(
    ("scheduler", "guidance_scale", "negative_prompt", "size"),
    CASES,
    ids=lambda value: f"{value[0]}x{value[1]}" if isinstance(value, tuple) else value or "plain",
)
def test_the_latents_equal_the_pipelines_bit_for_bit(
    components: LoadedComponents,
    pipeline: StableDiffusionPipeline,
    scheduler: str,
    guidance_scale: float,
    negative_prompt: str,
    size: tuple[int, int],
) -> None:
    for num_inference_steps in STEPS:
        params = GenerationParams(
            prompt="a red apple",
            negative_prompt=negative_prompt,
            scheduler=scheduler,
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            seed=42,
            width=size[0],
            height=size[1],
        )
        expected = pipeline_output(pipeline, components, params, "latent")

        latents = final_latents(components, params)

        assert torch.isfinite(expected).all()
        assert torch.equal(latents, expected), f"{num_inference_steps} steps"


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_the_latents_equal_the_pipelines_in_half_precision_too(
    dtype: str,
) -> None:
    components = load("pocket", device="cpu", dtype=dtype)
    params = GenerationParams(prompt="a red apple", num_inference_steps=3, width=64, height=64)
    expected = pipeline_output(make_pipeline(components), components, params, "latent")

    latents = final_latents(components, params)

    assert str(latents.dtype) == f"torch.{dtype}"
    assert torch.equal(latents, expected)


def test_the_picture_equals_the_pipelines_pixel_for_pixel(
    components: LoadedComponents, pipeline: StableDiffusionPipeline
) -> None:
    params = GenerationParams(prompt="a red apple", num_inference_steps=3, width=96, height=64)
    expected = pipeline_output(pipeline, components, params, "pil")[0]

    decoded = list(text_to_image(components, params))[-1]

    assert isinstance(decoded, DecodedImage)
    assert decoded.image.tobytes() == expected.tobytes()
    assert decoded.image.size == (96, 64)
