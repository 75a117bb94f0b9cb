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

    A CPU without instructions for bfloat16 emulates it, eight times slower than float32: there,
    nothing is mixed.
    """
    device = device or recipe.device
    if recipe.autocast is None or (device == "cpu" and not has_bfloat16()):
        return nullcontext()
    return torch.autocast(device, getattr(torch, recipe.autocast))


def has_bfloat16() -> bool:
    """Whether the CPU has AVX-512's or AMX's instructions for bfloat16."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
