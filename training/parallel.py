"""Several processes on one run, each with its share of the batch.

`torchrun --nproc-per-node 2 -m training.train cpu` starts two; on GPUs, each has one of its own.

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
        if recipe.device == "cuda":
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group("nccl" if recipe.device == "cuda" else "gloo")


def wait_for_all() -> None:
    """Go on when every process is here."""
    if workers() > 1:
        dist.barrier()


class GradientAverage:
    """The mean gradient of all processes, in place.

    The gradients travel as one vector, kept from step to step: to get as much new memory takes as
    long as to send it.
    """

    def __init__(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        self.parameters = list(parameters)
        self._flat = torch.empty(0)

    @torch.no_grad()
    def __call__(self, fraction: float = 0.0) -> float:
        """Give every process the mean gradient, and return the mean of `fraction`.

        The fraction travels with the gradients so that all processes agree on when to stop.
        """
        if workers() == 1:
            return fraction
        moved = [(p, p.grad) for p in self.parameters if p.grad is not None]
        gradients = [gradient for _, gradient in moved]
        size = sum(gradient.numel() for gradient in gradients) + 1
        if len(self._flat) != size:
            self._flat = gradients[0].new_empty(size)
        # In the parameters' own order in memory, which is every process's; a gradient's is not.
        views, start = [], 0
        for parameter, gradient in moved:
            views.append(self._flat.as_strided(parameter.shape, parameter.stride(), start))
            start += gradient.numel()
        torch._foreach_copy_(views, gradients)
        self._flat[-1] = fraction
        dist.all_reduce(self._flat)
        self._flat /= workers()
        torch._foreach_copy_(gradients, views)
        return float(self._flat[-1])
