"""What a model's folder tells of the model: its components, what it knows, and its limits."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LONGEST_HEADER = 100_000_000
_KNOWS = ("things", "styles", "places", "backgrounds", "examples")
"""The lists of `things.json`, which models that sdtui's training made have beside them."""


@dataclass(frozen=True)
class Component:
    """One component: what `model_index.json` calls it, its parameters and bytes of weights."""

    name: str
    class_name: str
    parameters: int
    size: int


@dataclass(frozen=True)
class Description:
    """`knows` and `limits` are empty and `card` is None for models that do not say."""

    folder: Path
    components: Sequence[Component]
    knows: Mapping[str, Sequence[str]]
    limits: Sequence[str]
    card: Path | None


def describe(folder: Path) -> Description:
    """Read a model's folder in diffusers layout, its weights' headers alone.

    What cannot be read is left out: loading the model tells what is wrong with it.
    """
    index = read_json(folder / "model_index.json")
    components = [
        _component(folder, name, classes[1])
        for name, classes in index.items()
        if isinstance(classes, list) and len(classes) == 2 and isinstance(classes[1], str)
    ]
    things = read_json(folder / "things.json")
    knows = {name: words for name in _KNOWS if (words := _strings(things.get(name)))}
    card = folder / "README.md"
    try:
        text = card.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return Description(folder, components, knows, [], None)
    return Description(folder, components, knows, _items(text, "Limits"), card)


def _component(folder: Path, name: str, class_name: str) -> Component:
    files = sorted((folder / name).glob("*.safetensors"))
    # Variants, such as `model.fp16.safetensors`, hold the same parameters; several parts do not.
    files = [file for file in files if file.name.count(".") == 1] or files[:1]
    counted = [_measured(file) for file in files]
    return Component(name, class_name, sum(p for p, _ in counted), sum(size for _, size in counted))


def _measured(file: Path) -> tuple[int, int]:
    """How many numbers a safetensors file says that it holds, and its bytes."""
    try:
        size = file.stat().st_size
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            header = opened.read(length) if length <= _LONGEST_HEADER else b""
    except OSError:
        return 0, 0
    try:
        tensors = json.loads(header)
        return sum(math.prod(t["shape"]) for n, t in tensors.items() if n != "__metadata__"), size
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
        return 0, size


def _items(card: str, heading: str) -> list[str]:
    """The points of the list under a heading of a Markdown text, each as one line."""
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", card, re.MULTILINE | re.DOTALL)
    if section is None:
        return []
    points = re.findall(r"^- (.*?)(?=^- |\n\n|\Z)", section[1], re.MULTILINE | re.DOTALL)
    return [" ".join(point.split()) for point in points]


def _strings(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def read_json(file: Path | None) -> dict[str, Any]:
    """A JSON object, empty where none can be read: loading the model tells what is wrong."""
    if file is None:
        return {}
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
