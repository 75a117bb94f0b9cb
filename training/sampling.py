"""Draw prompts with an exported pipeline, through diffusers' own class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    StableDiffusionPipeline,
    UNet2DConditionModel,
    UniPCMultistepScheduler,
)
from transformers import CLIPTextModel, CLIPTokenizer

from sdtui.params import DEFAULT_GUIDANCE


def load_pipeline(folder: Path, dtype: torch.dtype = torch.float32) -> StableDiffusionPipeline:
    """The exported components in one pipeline, with no progress bar."""
    pipeline = StableDiffusionPipeline(
        tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer"),
        text_encoder=CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=dtype),
        unet=UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=dtype),
        vae=AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=dtype),
        scheduler=UniPCMultistepScheduler.from_pretrained(folder / "scheduler"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@torch.inference_mode()
def draw(
    pipeline: StableDiffusionPipeline,
    prompts: Sequence[str],
    seed: int = 0,
    num_inference_steps: int = 25,
    guidance_scale: float = DEFAULT_GUIDANCE,
    batch_size: int = 8,
) -> torch.Tensor:
    """Pictures of prompts, (prompts, 3, height, width) in [0, 1]; the n-th has seed + n."""
    pictures = []
    for start in range(0, len(prompts), batch_size):
        part = list(prompts[start : start + batch_size])
        seeds = range(seed + start, seed + start + len(part))
        result = pipeline(
            part,
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            generator=[torch.Generator().manual_seed(number) for number in seeds],
            output_type="pt",
        )
        pictures.append(result.images.float().cpu())
    return torch.cat(pictures)
