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
    """The recipe's mixed precision, or none, on its device or another."""
    if recipe.autocast is None:
        return nullcontext()
    return torch.autocast(device or recipe.device, getattr(torch, recipe.autocast))
