"""Checkpoints that are whole or absent, however a run ends."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write beside the old checkpoint, then replace it in one move."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".partial")
    with temporary.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """What save_checkpoint wrote, or None where there is none."""
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def slim(state: dict[str, Any], weights: str) -> dict[str, Any]:
    """A checkpoint that is small enough to carry, a sixth of the size or less.

    It lacks the optimizer's moments, and its averaged weights, in half precision, stand for the
    latest ones under the name `weights` too.
    """
    averages = [value.half() for value in state["average"]["values"]]
    named = dict(zip(state[weights], averages, strict=True))
    for name, value in named.items():
        if value.shape != state[weights][name].shape:
            raise ValueError(f"{name} has no average of its shape")
    slimmed = {key: value for key, value in state.items() if key != "optimizer"}
    slimmed[weights] = named
    slimmed["average"] = {**state["average"], "values": averages}
    if "table" in state:
        slimmed["table"] = state["table"].half()
    return slimmed
