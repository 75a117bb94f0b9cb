"""What torch offers, as JSON. Run in a process of its own, so that a broken torch is a finding."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any


def main() -> None:
    """Print torch's version, its threads and its devices with their memory in bytes.

    `build` is what it is made for beside the CPU, `trouble` why a device cannot be used now,
    `lacks` what torch has no code for.
    """
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    devices = [_cuda_device(index) for index in range(count)]
    if torch.backends.mps.is_available():
        # What is free is known to nobody: it shares the machine's memory.
        total = torch.mps.recommended_max_memory()
        devices.append(_device("mps", "Apple GPU", total))
    print(
        json.dumps(
            {
                "version": torch.__version__,
                "build": _build(torch.version.cuda, torch.version.hip),
                "threads": torch.get_num_threads(),
                "devices": devices,
            }
        )
    )


def is_built_for(capability: tuple[int, int], architectures: Iterable[str]) -> bool:
    """Whether code for one of torch's architectures runs on a GPU of this compute capability.

    That of `sm_86` runs on 8.6 and 8.9, and `compute_80` is compiled for all from 8.0 on. The code
    for an architecture with a letter, as `sm_90a`, runs on that one alone.
    """
    for architecture in architectures:
        known = re.fullmatch(r"(sm|compute)_(\d+)(\d)(\D?)", architecture)
        if known is None:
            continue
        built = (int(known[2]), int(known[3]))
        if built == capability:
            return True
        if known[4] or built > capability:
            continue
        if known[1] == "compute" or built[0] == capability[0]:
            return True
    return False


def _build(cuda: str | None, hip: str | None) -> str:
    if hip:
        # Behind these two numbers, HIP counts otherwise than ROCm.
        return f"ROCm {'.'.join(hip.split('.')[:2])}"
    return f"CUDA {cuda}" if cuda else ""


def _cuda_device(index: int) -> dict[str, Any]:
    import torch

    device = f"cuda:{index}"
    try:
        properties = torch.cuda.get_device_properties(index)
        name = properties.name
    except RuntimeError as error:
        return _device(device, "unknown", 0, trouble=_first_line(error))
    lacks = ""
    architectures = torch.cuda.get_arch_list()
    if not torch.version.hip and not is_built_for(
        (properties.major, properties.minor), architectures
    ):
        lacks = (
            f"has no code for its capability {properties.major}.{properties.minor},"
            f" only for {', '.join(architectures)}"
        )
    try:
        free, total = torch.cuda.mem_get_info(index)
    except RuntimeError as error:
        return _device(device, name, properties.total_memory, trouble=_first_line(error))
    return _device(device, name, total, free=free, lacks=lacks)


def _device(
    device: str,
    name: str,
    total: int,
    *,
    free: int | None = None,
    trouble: str = "",
    lacks: str = "",
) -> dict[str, Any]:
    return {
        "device": device,
        "name": name,
        "free": free,
        "total": total,
        "trouble": trouble,
        "lacks": lacks,
    }


def _first_line(error: RuntimeError) -> str:
    return str(error).partition("\n")[0]


if __name__ == "__main__":
    main()
