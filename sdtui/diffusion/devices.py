"""Where tensors live and in which precision."""

from __future__ import annotations

import platform
import resource
import sys

import torch

from sdtui import params
from sdtui.diffusion.memory import is_out_of_memory
from sdtui.errors import ModelError

_REFUSALS = {
    "no kernel image is available": (
        "This torch cannot compute on the device",
        "Install a build of torch that is made for it, or choose another device, cpu for one.",
    ),
    "busy or unavailable": (
        "The device is not free",
        "Close the program that has it for itself, or choose another device, cpu for one.",
    ),
}
"""What a device in good health says that cannot be used: a title for it, and what helps."""

_FAILED_LIBRARIES = (
    "CUBLAS_STATUS_EXECUTION_FAILED",
    "CUDNN_STATUS_EXECUTION_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR",
)
"""What the CUDA libraries say, in a plain RuntimeError, when the device failed beneath them."""

_DTYPES: dict[str, torch.dtype] = {
    name: getattr(torch, name) for name in params.DTYPES if name != "auto"
}


def choose_device(name: str = "auto") -> torch.device:
    """The device of that name; "auto" takes CUDA, then Apple's MPS, then the CPU.

    Every name of one device gives an equal one: CUDA's have an index, of the others there is one.
    Raises `ModelError` when the device is not there.
    """
    if name == "auto":
        name = _available_devices()[0]
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ModelError(
            "Unknown device", f"{name!r} is no device.", "Choose auto, cuda, mps or cpu."
        ) from error
    missing = device.type not in _available_devices()
    if missing or (device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count()):
        raise ModelError(
            "Device not available",
            f"torch finds no {name} here.",
            f"Choose one of: auto, {', '.join(_available_devices())}.",
        )
    if device.type != "cuda":
        return torch.device(device.type)
    index = torch.cuda.current_device() if device.index is None else device.index
    return torch.device("cuda", index)


def _available_devices() -> list[str]:
    devices = ["cpu"]
    if torch.backends.mps.is_available():
        devices.insert(0, "mps")
    if torch.cuda.is_available():
        devices.insert(0, "cuda")
    return devices


def require_usable(device: torch.device) -> None:
    """Let the device compute something.

    Raises `ModelError` where another device or another torch would help, and what torch raises
    where the device has failed or has no memory left.
    """
    try:
        torch.ones(1, device=device).add(1).item()
    except torch.AcceleratorError as error:
        for words, (title, remedy) in _REFUSALS.items():
            if words in str(error):
                raise ModelError(title, f"{device}: {first_line(error)}.", remedy) from error
        raise


def has_failed(error: BaseException) -> bool:
    """Whether `error` says that a device is in an unknown state, which only a new process mends."""
    if isinstance(error, torch.AcceleratorError):
        return not is_out_of_memory(error)
    return isinstance(error, RuntimeError) and any(
        status in str(error) for status in _FAILED_LIBRARIES
    )


def first_line(error: BaseException) -> str:
    """What a device's error says, without the advice for developers below it."""
    return str(error).partition("\n")[0].rstrip(". ")


def choose_dtype(name: str, device: torch.device) -> torch.dtype:
    """The precision of that name; "auto" is float16 on a GPU and float32 on the CPU.

    Stable Diffusion 1.5 is published in float16 and its U-Net stays within that range, with three
    more bits of mantissa than bfloat16; where the VAE does not, `decode` notices. Every CPU
    computes in float32, few in half precision without emulating it. Raises `ModelError` for other
    names.
    """
    if name == "auto":
        return torch.float32 if device.type == "cpu" else torch.float16
    if name not in _DTYPES:
        raise ModelError(
            "Unknown precision", f"{name!r} is no dtype.", f"Choose {', '.join(params.DTYPES)}."
        )
    return _DTYPES[name]


def dtype_name(dtype: torch.dtype) -> str:
    """`float32` and not `torch.float32`."""
    return str(dtype).removeprefix("torch.")


def device_name(device: torch.device) -> str:
    """What the maker calls the device."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return "Apple GPU"
    return f"CPU, {platform.machine()}, {torch.get_num_threads()} threads"


def memory_in_use(device: torch.device) -> int:
    """Bytes that tensors hold on the GPU, or on the CPU the process's resident memory."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    if device.type == "mps":
        return torch.mps.current_allocated_memory()
    return _resident_memory()


def _resident_memory() -> int:
    if sys.platform == "linux":
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
            return int(file.read().split()[1]) * resource.getpagesize()
    # macOS tells the peak, in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def synchronize(device: torch.device) -> None:
    """Wait until the device has finished what it was given. A CPU always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
