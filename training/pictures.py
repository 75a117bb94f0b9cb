"""The prepared pictures, and how they are put on a background."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

#: Background colours by name, sRGB. The words are the ones that captions use.
BACKGROUNDS: dict[str, tuple[int, int, int]] = {
    "white": (255, 255, 255),
    "black": (16, 16, 20),
    "grey": (128, 130, 134),
    "red": (214, 48, 49),
    "orange": (243, 146, 45),
    "yellow": (250, 214, 70),
    "green": (64, 160, 82),
    "blue": (50, 108, 216),
    "purple": (126, 76, 186),
    "pink": (246, 164, 196),
}


@dataclass(frozen=True)
class Things:
    """What can be drawn: `pictures` (things, 4, size, size) uint8 premultiplied RGBA."""

    pictures: torch.Tensor
    names: tuple[str, ...]


def load_things(path: Path) -> Things:
    """Read what training.prepare wrote."""
    with np.load(path) as arrays:
        pictures = torch.from_numpy(arrays["pictures"]).permute(0, 3, 1, 2).contiguous()
        names = tuple(str(name) for name in arrays["names"])
    return Things(pictures, names)


def background_colours(names: tuple[str, ...] = tuple(BACKGROUNDS)) -> torch.Tensor:
    """The named colours, (names, 3) in [0, 1]."""
    return torch.tensor([BACKGROUNDS[name] for name in names]) / 255


def composite(pictures: torch.Tensor, colours: torch.Tensor) -> torch.Tensor:
    """Put pictures on plain backgrounds.

    Args:
        pictures: (batch, 4, height, width) uint8, premultiplied RGBA.
        colours: (batch, 3) in [0, 1].

    Returns:
        (batch, 3, height, width) float32 in [−1, 1].
    """
    pixels = pictures.float() / 255
    seen_through = 1 - pixels[:, 3:]
    return (pixels[:, :3] + seen_through * colours[:, :, None, None]) * 2 - 1
