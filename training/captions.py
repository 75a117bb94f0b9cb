"""What a picture may be called: its name or another word for it, a style, a background.

A caption without a background phrase means a white one, so that every caption has one picture.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence

from training.pictures import BACKGROUNDS
from training.things import ALIASES

#: Share of the captions that use an alias where there is one, and a tag where there is one.
ALIAS_SHARE, TAG_SHARE = 0.35, 0.08
#: Share of the captions on white that do not say so.
UNSAID_SHARE = 0.7
DEFAULT_BACKGROUND = "white"

STYLES = (
    "3d icon of {}",
    "a 3d icon of {}",
    "a 3d emoji of {}",
    "an emoji of {}",
    "a picture of {}",
    "a photo of {}",
    "{} icon",
)
PLACES = (
    "{} on a {} background",
    "{} on a {} background",
    "{} on a {} background",
    "{}, {} background",
    "{} on {}",
    "{} in front of a {} background",
)


def indefinite(name: str) -> str:
    """The name with its article: an apple, a fox."""
    return f"{'an' if name[0].lower() in 'aeio' else 'a'} {name}"


def distinct_tags(
    names: Sequence[str], tags: Sequence[Sequence[str]]
) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """Tags that mean one thing alone: those to train with, and one held out where three or more.

    Returns:
        By thing name, the tags used in captions, and the held-out synonym.
    """
    taken = {name.lower() for name in names}
    taken |= {alias for aliases in ALIASES.values() for alias in aliases}
    uses = Counter(tag.lower() for line in tags for tag in set(line))
    used: dict[str, tuple[str, ...]] = {}
    held_out: dict[str, str] = {}
    for name, line in zip(names, tags, strict=True):
        own = [
            tag
            for tag in dict.fromkeys(line)
            if uses[tag.lower()] == 1 and tag.lower() not in taken and tag.isascii()
        ]
        if len(own) >= 3:
            held_out[name] = own.pop(len(name) % len(own))
        used[name] = tuple(own)
    return used, held_out


class CaptionWriter:
    """Writes captions of things on backgrounds, each a little different."""

    def __init__(self, tags: dict[str, tuple[str, ...]]) -> None:
        self.tags = tags

    def subject(self, name: str, rng: random.Random) -> str:
        """The thing's name, alias or tag, with or without its article."""
        aliases, tags = ALIASES.get(name, ()), self.tags.get(name, ())
        chance, word = rng.random(), name
        if aliases and chance < ALIAS_SHARE:
            word = rng.choice(aliases)
        elif tags and chance > 1 - TAG_SHARE:
            word = rng.choice(tags)
        return indefinite(word) if rng.random() < 0.65 else word

    def caption(self, name: str, background: str, rng: random.Random) -> str:
        """One caption of a thing on a background."""
        text = self.subject(name, rng)
        if rng.random() < 0.4:
            text = rng.choice(STYLES).format(text)
        if background == DEFAULT_BACKGROUND and rng.random() < UNSAID_SHARE:
            return text
        return rng.choice(PLACES).format(text, background)

    def words(self, names: Sequence[str]) -> Iterator[str]:
        """Texts that hold every word which captions of these names may use."""
        for template in (*STYLES, *(place.format("{}", "") for place in PLACES)):
            yield template.format("")
            # A template may glue its comma to the word before it.
            yield template.format("a")
        yield from BACKGROUNDS
        for name in names:
            for word in (name, *ALIASES.get(name, ()), *self.tags.get(name, ())):
                yield indefinite(word)
                yield f"{word}, {DEFAULT_BACKGROUND}"


def held_out_pairs(
    things: int, backgrounds: Sequence[str], share: float, seed: int
) -> set[tuple[int, int]]:
    """(thing, background) pairs that training never sees; the default background is always seen."""
    rng = random.Random(seed)
    return {
        (thing, place)
        for thing in range(things)
        for place, background in enumerate(backgrounds)
        if rng.random() < share and background != DEFAULT_BACKGROUND
    }
