"""The real worker with the bundled model, whose parts fail on request.

The prompt says which, in words: `oom` (the U-Net's second call finds no memory), `oom-whole` (the
VAE finds none for a picture in one piece), `oom-decode` (it finds none at all), `nan=2` (the U-Net
predicts what is no number at that step), `device` (the device fails for good), `device-once` (the
same, but only the first time that this engine's folder sees it).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

from sdtui.diffusion.components import LoadedComponents
from sdtui.diffusion.pipeline import Stage, text_to_image
from sdtui.engine import narration, worker
from sdtui.params import GenerationParams

MORE_THAN_THERE_IS = 1 << 46

orders: dict[str, str] = {}
calls = 0

unet_forward = UNet2DConditionModel.forward
vae_decode = AutoencoderKL._decode


def obey(components: LoadedComponents, params: GenerationParams) -> Iterator[Stage]:
    """Read the prompt's orders, then draw as ever."""
    global calls
    orders.clear()
    orders.update(word.partition("=")[::2] for word in params.prompt.split())
    calls = 0
    yield from text_to_image(components, params)


def forward(unet: UNet2DConditionModel, *args: Any, **options: Any) -> Any:
    """Predict, or fail as ordered."""
    global calls
    calls += 1
    if "oom" in orders and calls == 2:
        torch.empty(MORE_THAN_THERE_IS)
    if "device" in orders or ("device-once" in orders and is_first_time()):
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")
    (prediction,) = unet_forward(unet, *args, **options)
    return (prediction * float("nan") if orders.get("nan") == str(calls) else prediction,)


def decode(vae: AutoencoderKL, *args: Any, **options: Any) -> Any:
    """Decode, or fail as ordered."""
    if "oom-decode" in orders or ("oom-whole" in orders and not vae.use_tiling):
        torch.empty(MORE_THAN_THERE_IS)
    return vae_decode(vae, *args, **options)


def is_first_time() -> bool:
    """Whether nobody has asked before; the answer outlives the process."""
    mark = Path(os.environ["SDTUI_HOME"]) / "failed"
    if mark.exists():
        return False
    mark.touch()
    return True


if __name__ == "__main__":
    narration.text_to_image = obey
    UNet2DConditionModel.forward = forward
    AutoencoderKL._decode = decode
    worker.main()
