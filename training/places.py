"""Where in the picture a thing stands and how large it is, with the words for it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F


@dataclass(frozen=True, kw_only=True)
class Place:
    """A size and a position.

    `scale` multiplies the thing's size; `left` and `top` are the shares of the free space on
    those sides. `adjectives` stand before the thing's name, `phrases` after it.
    """

    scale: float = 0.5
    left: float = 0.5
    top: float = 0.5
    adjectives: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()


#: What a caption that names no place means: as large as the picture.
CENTRED = "centred"
#: Corners keep a little free space around the thing: at 128 pixels they stand 8 and 56 in, whole
#: latents, so that a small thing has nearly the same latents wherever it stands. "In the corner"
#: alone is the last of them.
PLACES: dict[str, Place] = {
    CENTRED: Place(scale=1.0, adjectives=("large", "big"), phrases=("{}, large", "{}, close up")),
    "small": Place(adjectives=("small", "tiny"), phrases=("{}, small",)),
    **{
        f"{row} {column}": Place(
            left=0.125 if column == "left" else 0.875,
            top=0.125 if row == "top" else 0.875,
            phrases=(
                f"{{}} in the {row} {column} corner",
                f"{{}} in the {row} {column}",
                f"{{}}, {row} {column}",
                f"{{}}, small, in the {row} {column} corner",
                *(
                    ("{} in the corner", "{}, small, in the corner", "{}, in the corner")
                    if (row, column) == ("bottom", "right")
                    else ()
                ),
            ),
        )
        for row in ("top", "bottom")
        for column in ("left", "right")
    },
}


def put(pictures: torch.Tensor, name: str) -> torch.Tensor:
    """Square pictures (batch, 4, size, size) uint8, premultiplied, moved to a place."""
    if name == CENTRED:
        return pictures
    place, size = PLACES[name], pictures.shape[-1]
    scaled = round(size * place.scale)
    resized = F.interpolate(pictures.float(), (scaled, scaled), mode="bilinear", antialias=True)
    left, top = round((size - scaled) * place.left), round((size - scaled) * place.top)
    margins = (left, size - scaled - left, top, size - scaled - top)
    return F.pad(resized, margins).round().to(torch.uint8)
