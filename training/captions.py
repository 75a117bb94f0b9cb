"""What a picture may be called: its name or another word for it, a style, a background.

A caption without a background phrase means a white one, so that every caption has one picture.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from training.pictures import BACKGROUNDS
from training.things import ALIASES

#: Share of the captions that use an alias where there is one.
ALIAS_SHARE = 0.35
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
    "{} on {} background",
    "{} on {} background",
    "{} on {} background",
    "{} in front of {} background",
)
BARE_PLACES = ("{}, {} background", "{} on {}", "{} on {} background")
#: Words that begin with a vowel's letter and not its sound.
CONSONANTAL = ("unicorn", "ufo")


def indefinite(name: str) -> str:
    """The name with its article: an apple, a fox."""
    vowel = name[0].lower() in "aeiou" and not name.startswith(CONSONANTAL)
    return f"{'an' if vowel else 'a'} {name}"


def draw_subject(name: str, rng: random.Random) -> str:
    """The thing's name or alias, with or without its article."""
    aliases = ALIASES.get(name, ())
    word = rng.choice(aliases) if aliases and rng.random() < ALIAS_SHARE else name
    return indefinite(word) if rng.random() < 0.65 else word


def draw_caption(name: str, background: str, rng: random.Random) -> str:
    """One of the captions of a thing on a background."""
    text = draw_subject(name, rng)
    if rng.random() < 0.4:
        text = rng.choice(STYLES).format(text)
    if background == DEFAULT_BACKGROUND and rng.random() < UNSAID_SHARE:
        return text
    if rng.random() < 0.6:
        return rng.choice(PLACES).format(text, indefinite(background))
    return rng.choice(BARE_PLACES).format(text, background)


def caption_words(names: Sequence[str]) -> Iterator[str]:
    """Texts that hold every word which captions of these names may use."""
    for template in (*STYLES, *(place.format("{}", "") for place in (*PLACES, *BARE_PLACES))):
        yield template.format("")
        # A template may glue its comma to the word before it.
        yield template.format("a")
    yield from map(indefinite, BACKGROUNDS)
    for name in names:
        for word in (name, *ALIASES.get(name, ())):
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
