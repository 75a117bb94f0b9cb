"""Threads, precision and determinism of a run, from its recipe."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from training.config import Recipe
from training.parallel import join


def set_up(recipe: Recipe) -> None:
    """Join the other processes, if any; give torch the recipe's threads and fast products."""
    join(recipe)
    # Heads are narrow and sequences short, for which the gradient of a CPU's fused attention takes
    # a quarter of a step, and that of plain products next to nothing.
    torch.backends.cuda.enable_flash_sdp(recipe.device != "cpu")
    if recipe.threads is not None:
        torch.set_num_threads(recipe.threads)
    torch.set_float32_matmul_precision("high")


def autocast(recipe: Recipe, device: str | None = None) -> AbstractContextManager[object]:
    """The recipe's mixed precision, or none, on its device or another.

    A CPU that has no instructions for bfloat16 emulates it, eight times slower than float32: there,
    nothing is mixed.
    """
    device = device or recipe.device
    is_emulated = device == "cpu" and not torch.ops.mkldnn._is_mkldnn_bf16_supported()
    if recipe.autocast is None or is_emulated:
        return nullcontext()
    return torch.autocast(device, getattr(torch, recipe.autocast))
