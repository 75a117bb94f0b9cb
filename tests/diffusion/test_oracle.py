"""The latents of the hand-written loop equal those of StableDiffusionPipeline, bit for bit."""

from __future__ import annotations

import pytest
import torch
from diffusers import StableDiffusionPipeline

from sdtui.diffusion.components import LoadedComponents
from sdtui.diffusion.decode import DecodedImage
from sdtui.diffusion.denoise import DenoisingStep
from sdtui.diffusion.pipeline import text_to_image
from sdtui.diffusion.schedulers import make_scheduler
from sdtui.params import SCHEDULERS, GenerationParams

STEPS = (1, 5, 25)
SIZES = ((64, 64), (96, 64))


@pytest.fixture(scope="module")
def pipeline(components: LoadedComponents) -> StableDiffusionPipeline:
    """The oracle, on the very same weights."""
    pipeline = StableDiffusionPipeline(
        vae=components.vae,
        text_encoder=components.text_encoder,
        tokenizer=components.tokenizer,
        unet=components.unet,
        scheduler=make_scheduler("UniPC", components.scheduler_config),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def pipeline_output(
    pipeline: StableDiffusionPipeline,
    components: LoadedComponents,
    params: GenerationParams,
    output_type: str,
):
    pipeline.scheduler = make_scheduler(params.scheduler, components.scheduler_config)
    return pipeline(
        params.prompt,
        negative_prompt=params.negative_prompt or None,
        num_inference_steps=params.num_inference_steps,
        guidance_scale=params.guidance_scale,
        width=params.width,
        height=params.height,
        generator=torch.Generator("cpu").manual_seed(params.seed),
        output_type=output_type,
    ).images


def final_latents(components: LoadedComponents, params: GenerationParams) -> torch.Tensor:
    stages = text_to_image(components, params)
    for stage in stages:
        if isinstance(stage, DenoisingStep) and stage.step_index == stage.count - 1:
            stages.close()
            return stage.latents
    raise AssertionError("the loop did not reach its last step")


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("negative_prompt", ["", "blurry"], ids=["plain", "negative"])
@pytest.mark.parametrize("guidance_scale", [1.0, 7.5])
@pytest.mark.parametrize("scheduler", SCHEDULERS)
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


def test_the_picture_equals_the_pipelines_pixel_for_pixel(
    components: LoadedComponents, pipeline: StableDiffusionPipeline
) -> None:
    params = GenerationParams(prompt="a red apple", num_inference_steps=3, width=96, height=64)
    expected = pipeline_output(pipeline, components, params, "pil")[0]

    decoded = list(text_to_image(components, params))[-1]

    assert isinstance(decoded, DecodedImage)
    assert decoded.image.tobytes() == expected.tobytes()
    assert decoded.image.size == (96, 64)
