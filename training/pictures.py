"""The prepared pictures, and how they are put in a place and on a background."""

from __future__ import annotations

import hashlib
import io
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from training.config import Recipe
from training.places import put

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
    """What can be drawn: `pictures` (pictures, 4, size, size) uint8 premultiplied RGBA.

    Not every thing has a picture in every style.
    """

    pictures: torch.Tensor
    names: tuple[str, ...]
    #: The thing and the style of each picture.
    drawn: tuple[tuple[int, str], ...]
    #: emojibase's words for each thing.
    tags: tuple[tuple[str, ...], ...] = ()
    #: The rows of the things that things.toml chooses.
    chosen: frozenset[int] = field(default_factory=frozenset)

    def to(self, device: str) -> Things:
        """The same things with their pictures on a device."""
        return replace(self, pictures=self.pictures.to(device))


class View(NamedTuple):
    """A picture, by its row, in a place."""

    picture: int
    place: str


def views(things: Things, places: Sequence[str]) -> tuple[View, ...]:
    """Every picture in every place."""
    return tuple(View(row, place) for row in range(len(things.drawn)) for place in places)


def fingerprint(things: Things, places: Sequence[str]) -> str:
    """What no other views have: names, styles, places, backgrounds and pictures in their order."""
    told = hashlib.sha256(repr((things.names, things.drawn, tuple(places), BACKGROUNDS)).encode())
    told.update(np.ascontiguousarray(things.pictures.cpu().numpy()).data)
    return told.hexdigest()


def place_pictures(things: Things, chosen: Sequence[View]) -> torch.Tensor:
    """Pictures of views, (views, 4, size, size) uint8 premultiplied RGBA."""
    pictures = things.pictures[[view.picture for view in chosen]]
    for place in sorted({view.place for view in chosen}):
        rows = [row for row, view in enumerate(chosen) if view.place == place]
        pictures[rows] = put(pictures[rows], place)
    return pictures


def pack_pictures(pictures: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (size, size, 4) uint8 as lossless WebP files on end, and where each one ends.

    They take three fifths of what deflated arrays would.
    """
    files = []
    for picture in pictures:
        file = io.BytesIO()
        # `exact` keeps colours where alpha is 0; premultiplied ones are 0 there too.
        Image.fromarray(picture, "RGBA").save(file, "WEBP", lossless=True, exact=True, method=4)
        files.append(file.getvalue())
    return np.frombuffer(b"".join(files), np.uint8), np.cumsum([len(file) for file in files])


def unpack_picture(file: bytes) -> np.ndarray:
    """What pack_pictures packed, (size, size, 4) uint8."""
    with Image.open(io.BytesIO(file)) as image:
        return np.asarray(image.convert("RGBA"))


def used_rows(chosen: Sequence[bool], recipe: Recipe) -> list[int]:
    """Which of the prepared things a recipe uses."""
    return [row for row, is_chosen in enumerate(chosen) if recipe.everything or is_chosen][
        : recipe.most
    ]


def thing_names(path: Path, recipe: Recipe) -> list[str]:
    """The names of what load_things loads."""
    with np.load(path) as arrays:
        names, chosen = arrays["names"].tolist(), arrays["chosen"].tolist()
    return [names[row] for row in used_rows(chosen, recipe)]


def load_things(path: Path, recipe: Recipe) -> Things:
    """What training.prepare wrote, as far as the recipe uses it.

    Pictures of the things that a run before this one had come first, in the order that they had
    there: held-out combinations follow it, and so stay held out from run to run.
    """
    with np.load(path) as arrays:
        content, ends = arrays["files"].tobytes(), arrays["ends"].tolist()
        names, chosen = arrays["names"].tolist(), arrays["chosen"].tolist()
        tags = [tuple(words.split("|")) for words in arrays["tags"].tolist()]
        drawn = list(zip(arrays["things"].tolist(), arrays["styles"].tolist(), strict=True))
    used = used_rows(chosen, recipe)
    if recipe.everything and all(chosen):
        raise ValueError(f"{path} holds the chosen things alone: prepare --everything")
    number = {row: new for new, row in enumerate(used)}
    rows = [n for n, (row, style) in enumerate(drawn) if row in number and style in recipe.styles]
    rows.sort(key=lambda n: bisect_right(recipe.stages, number[drawn[n][0]]))
    files = [content[(ends[n - 1] if n else 0) : ends[n]] for n in rows]
    pictures = np.stack([unpack_picture(file) for file in files])
    return Things(
        torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous(),
        tuple(names[row] for row in used),
        tuple((number[drawn[n][0]], drawn[n][1]) for n in rows),
        tuple(tags[row] for row in used),
        frozenset(number[row] for row in used if chosen[row]),
    )


def background_colours(names: tuple[str, ...] = tuple(BACKGROUNDS)) -> torch.Tensor:
    """The named colours, (names, 3) in [0, 1]."""
    return torch.tensor([BACKGROUNDS[name] for name in names]) / 255


def composite(pictures: torch.Tensor, colours: torch.Tensor) -> torch.Tensor:
    """Put pictures on plain backgrounds.

    Args:
        pictures: (batch, 4, height, width) uint8, premultiplied RGBA.
        colours: (batch, 3) in [0, 1].

    Returns:
        (batch, 3, height, width) float32 in [−1, 1], where the pictures are.
    """
    pixels = pictures.float() / 255
    seen_through = 1 - pixels[:, 3:]
    return (pixels[:, :3] + seen_through * colours.to(pixels)[:, :, None, None]) * 2 - 1
