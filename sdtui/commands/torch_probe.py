"""What torch offers, as JSON. Run in a process of its own, so that a broken torch is a finding."""

from __future__ import annotations

import json
from typing import Any


def main() -> None:
    """Print torch's version, its threads and its devices with their memory in bytes."""
    import torch

    devices: list[dict[str, Any]] = []
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        free, total = torch.cuda.mem_get_info(index)
        name = torch.cuda.get_device_name(index)
        devices.append({"device": f"cuda:{index}", "name": name, "free": free, "total": total})
    if torch.backends.mps.is_available():
        total = torch.mps.recommended_max_memory()
        devices.append({"device": "mps", "name": "Apple GPU", "free": total, "total": total})
    print(
        json.dumps(
            {
                "version": torch.__version__,
                "cuda": torch.version.cuda or torch.version.hip or "",
                "threads": torch.get_num_threads(),
                "devices": devices,
            }
        )
    )


if __name__ == "__main__":
    main()
