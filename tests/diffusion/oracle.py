"""StableDiffusionPipeline on the very same weights: what the hand-written loop must equal."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import StableDiffusionPipeline

from sdtui.diffusion.components import LoadedComponents
from sdtui.diffusion.denoise import DenoisingStep
from sdtui.diffusion.pipeline import text_to_image
from sdtui.diffusion.schedulers import make_scheduler
from sdtui.params import GenerationParams


def make_pipeline(components: LoadedComponents, scheduler: Any = None) -> StableDiffusionPipeline:
    pipeline = StableDiffusionPipeline(
        vae=components.vae,
        text_encoder=components.text_encoder,
        tokenizer=components.tokenizer,
        unet=components.unet,
        scheduler=scheduler or make_scheduler("UniPC", components.scheduler_config),
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
) -> Any:
    """The pipeline's "latent" (a tensor) or "pil" (a list of pictures)."""
    pipeline.scheduler = make_scheduler(params.scheduler, components.scheduler_config)
    return run_pipeline(pipeline, params, output_type)


def run_pipeline(
    pipeline: StableDiffusionPipeline, params: GenerationParams, output_type: str
) -> Any:
    """What the pipeline makes with the scheduler that it has."""
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
    """Where the hand-written loop arrives."""
    for stage in text_to_image(components, params):
        if isinstance(stage, DenoisingStep) and stage.step_index == stage.count - 1:
            return stage.latents
    raise AssertionError("the loop did not reach its last step")
