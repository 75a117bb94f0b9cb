"""The three sets of pictures, by the words that captions use for how they look.

"3d" is Fluent Emoji as modelled and lit, "flat" is Fluent Emoji in plain areas of colour, and
"cartoon" is Noto Emoji: drawn, with soft shades, and faces that are livelier than the others'.
"""

from __future__ import annotations

#: What a caption that names no style means.
DEFAULT_STYLE = "3d"
#: Sentences around a thing, by style. Those of the default style need not name it.
STYLES: dict[str, tuple[str, ...]] = {
    "3d": (
        "3d icon of {}",
        "a 3d icon of {}",
        "a 3d emoji of {}",
        "an emoji of {}",
        "a picture of {}",
        "a photo of {}",
        "{} icon",
    ),
    "flat": (
        "flat icon of {}",
        "a flat icon of {}",
        "a flat emoji of {}",
        "a flat picture of {}",
        "{}, flat",
        "{}, flat style",
        "{} flat icon",
    ),
    "cartoon": (
        "cartoon of {}",
        "a cartoon of {}",
        "a cartoon icon of {}",
        "a cartoon picture of {}",
        "{}, cartoon",
        "{}, cartoon style",
        "{} cartoon icon",
    ),
}
