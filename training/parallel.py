"""Several processes on one run, each with its share of the batch.

`torchrun --nproc-per-node 2 -m training.train cpu` starts two.

On a CPU a process a core, one thread each, beats one process with many threads: they meet once a
step and not inside every operation, which matters most when something else wants the cores.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import torch
import torch.distributed as dist

from training.config import Recipe


def workers() -> int:
    """How many processes share this run."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """The number of this process, from 0; only 0 prints and saves."""
    return dist.get_rank() if dist.is_initialized() else 0


def join(recipe: Recipe) -> None:
    """Meet the other processes that torchrun started, if any."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        dist.init_process_group("nccl" if recipe.device == "cuda" else "gloo")


def wait_for_all() -> None:
    """Go on when every process is here."""
    if workers() > 1:
        dist.barrier()


@torch.no_grad()
def average_gradients(parameters: Iterable[torch.nn.Parameter], fraction: float) -> float:
    """Give every process the mean gradient, in place, and the mean of `fraction`.

    The fraction travels with the gradients so that all processes agree on when to stop.
    """
    if workers() == 1:
        return fraction
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    flat = torch.cat([flat, flat.new_tensor([fraction])])
    dist.all_reduce(flat)
    flat /= workers()
    start = 0
    for gradient in gradients:
        gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
        start += gradient.numel()
    return float(flat[-1])
