"""Which GPUs a process may see, as its user says by variables that the driver reads."""

from __future__ import annotations

import os

_VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "CUDA_DEVICE_ORDER",
    "HIP_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
)


def visible_devices() -> dict[str, str]:
    """Those of the variables that are set here; an empty one hides every GPU."""
    return {name: os.environ[name] for name in _VARIABLES if name in os.environ}


def difference(of_engine: dict[str, str]) -> str:
    """What an engine was started with that is otherwise here, in words; empty where nothing is."""
    here = visible_devices()
    differing = [name for name in _VARIABLES if of_engine.get(name) != here.get(name)]
    return ", ".join(
        f"{_setting(name, of_engine)} (here {_setting(name, here)})" for name in differing
    )


def _setting(name: str, variables: dict[str, str]) -> str:
    return f"{name}={variables[name]}" if name in variables else f"no {name}"
