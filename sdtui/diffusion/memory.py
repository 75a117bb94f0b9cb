"""What to do when memory runs out: know it when it happened, and give back what is not in use."""

from __future__ import annotations

import gc

import torch

_ALLOCATORS = (
    "can't allocate memory",
    "out of memory",
    "bad_alloc",
    "_STATUS_ALLOC_FAILED",
)
"""What the allocators of the CPU, of MPS and of the CUDA libraries say in a plain RuntimeError."""

_FULL_DEVICE = "error: out of memory"
"""What a device says that has no room for the driver's own things: a context, or its kernels."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that a host or a device has no memory left.

    A device that is in an unknown state may name its memory too; it stays a failed device.
    """
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    if isinstance(error, torch.AcceleratorError):
        return _FULL_DEVICE in str(error).partition("\n")[0]
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _ALLOCATORS)


def free_memory() -> None:
    """Give back what nothing refers to any more.

    A traceback refers to every tensor of the frames that it passed, so this helps only where the
    error is forgotten: behind its `except` block, and not in it.
    """
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()
