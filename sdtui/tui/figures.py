"""Numbers as the screen writes them: short, in fixed forms, the same everywhere."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

_BYTE_UNITS = ("B", "kB", "MB", "GB", "TB")
_COUNT_UNITS = ("", "k", "M", "G", "T")
_DTYPES = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16", "float64": "fp64"}


def byte_size(size: float) -> str:
    """Bytes in decimal units with at most four figures: `512 B`, `13.4 MB`, `1.72 GB`."""
    figure, unit = _scaled(size, _BYTE_UNITS)
    return f"{figure} {unit}"


def count(number: float) -> str:
    """A large count with its unit: `950`, `21.4 M`."""
    figure, unit = _scaled(number, _COUNT_UNITS)
    return f"{figure} {unit}".rstrip()


def _scaled(number: float, units: tuple[str, ...]) -> tuple[str, str]:
    place = 0
    while number >= 999.5 and place < len(units) - 1:
        number /= 1000
        place += 1
    if place == 0 or number >= 99.95:
        return f"{number:.0f}", units[place]
    return f"{number:.1f}", units[place]


def duration(seconds: float) -> str:
    """A stretch of time: `41 ms`, `2.1 s`, `3:07`, `1:02:45`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    return clock(seconds)


def clock(seconds: float) -> str:
    """A stretch of time as a clock shows it: `0:07`, `12:30`, `1:02:45`."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minutes}:{second:02}"


def rate(seconds_each: float) -> str:
    """How fast steps follow one another: `21.3 it/s`, or `12.4 s/it` when each takes over one."""
    if seconds_each > 1:
        return f"{seconds_each:.1f} s/it"
    return f"{1 / max(seconds_each, 1e-4):.1f} it/s"


def shape(dimensions: tuple[int, ...]) -> str:
    """A tensor's shape: `(2, 77, 768)`."""
    return f"({', '.join(map(str, dimensions))})"


def dtype(name: str) -> str:
    """A tensor type's short name: `fp32` for `float32`."""
    return _DTYPES.get(name.removeprefix("torch."), name)


def in_a_row(parts: Sequence[str], width: int) -> str:
    """As many parts as `width` cells hold, joined by dots; the first one in any case."""
    shown = list(parts)
    while len(shown) > 1 and cell_len(" · ".join(shown)) > width:
        shown.pop()
    return " · ".join(shown)
