"""Checkpoints that are whole or absent, however a run ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import torch


@contextmanager
def whole_or_absent(path: Path) -> Iterator[IO[bytes]]:
    """A file to write beside the one at `path`, which it replaces in one move."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".partial")
    with temporary.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint in place of the old one."""
    with whole_or_absent(path) as file:
        torch.save(state, file)


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
