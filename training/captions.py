"""What a picture may be called: a word for its thing, a style, a place, a background.

A caption without a style means 3d, without a place means centred and as large as the picture, and
without a background means a white one, so that every caption has one picture.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from training.pictures import BACKGROUNDS
from training.places import CENTRED, PLACES
from training.styles import DEFAULT_STYLE, STYLES

#: Share of the captions that use another word than the name where there is one.
ALIAS_SHARE = 0.35
#: Share of the captions on white that do not say so.
UNSAID_SHARE = 0.7
#: So often it is said that a thing is large, as it is without a word.
LARGE_SHARE = 0.1
DEFAULT_BACKGROUND = "white"

BACKDROPS = (
    "{} on {} background",
    "{} on {} background",
    "{} on {} background",
    "{} in front of {} background",
)
BARE_BACKDROPS = ("{}, {} background", "{} on {}", "{} on {} background")
#: Words that begin with a vowel's letter and not its sound.
CONSONANTAL = ("unicorn", "ufo")


def indefinite(name: str) -> str:
    """The name with its article: an apple, a fox."""
    vowel = name[0].lower() in "aeiou" and not name.startswith(CONSONANTAL)
    return f"{'an' if vowel else 'a'} {name}"


def draw_caption(
    words: Sequence[str],
    background: str,
    rng: random.Random,
    style: str = DEFAULT_STYLE,
    place: str = CENTRED,
) -> str:
    """One of the captions of a thing, called by `words` with its name first."""
    text = rng.choice(words[1:]) if len(words) > 1 and rng.random() < ALIAS_SHARE else words[0]
    adjectives: list[str] = []
    style_said = style == DEFAULT_STYLE
    if not style_said and rng.random() < 0.5:
        adjectives, style_said = [style], True
    suffix = "{}"
    if place != CENTRED or rng.random() < LARGE_SHARE:
        sizes = PLACES[place].adjectives
        if sizes and rng.random() < 0.6:
            adjectives.insert(0, rng.choice(sizes))
        else:
            suffix = rng.choice(PLACES[place].phrases)
    text = " ".join([*adjectives, text])
    text = indefinite(text) if rng.random() < 0.65 else text
    if not style_said or (style == DEFAULT_STYLE and rng.random() < 0.4):
        text = rng.choice(STYLES[style]).format(text)
    place_first = place == CENTRED or rng.random() < 0.5
    if place_first:
        text = suffix.format(text)
    text = on_background(text, background, rng)
    return text if place_first else suffix.format(text)


def on_background(text: str, background: str, rng: random.Random) -> str:
    """The caption with its background, which white may leave unsaid."""
    if background == DEFAULT_BACKGROUND and rng.random() < UNSAID_SHARE:
        return text
    if rng.random() < 0.6:
        return rng.choice(BACKDROPS).format(text, indefinite(background))
    return rng.choice(BARE_BACKDROPS).format(text, background)


def plain_caption(
    name: str, background: str, style: str = DEFAULT_STYLE, place: str = CENTRED
) -> str:
    """The plainest caption that says everything: a small flat fox on a blue background."""
    adjectives = [] if style == DEFAULT_STYLE else [style]
    suffix = "{}"
    if place != CENTRED:
        if PLACES[place].adjectives:
            adjectives.insert(0, PLACES[place].adjectives[0])
        else:
            suffix = PLACES[place].phrases[0]
    text = suffix.format(indefinite(" ".join([*adjectives, name])))
    return f"{text} on {indefinite(background)} background"


def caption_words(
    words: Sequence[Sequence[str]],
    styles: Sequence[str] = (DEFAULT_STYLE,),
    places: Sequence[str] = (CENTRED,),
) -> Iterator[str]:
    """Texts that hold every word which captions of these things may use."""
    templates = [template for style in styles for template in STYLES[style]]
    templates += [phrase for place in places for phrase in PLACES[place].phrases]
    backdrops = [backdrop.format("{}", "") for backdrop in (*BACKDROPS, *BARE_BACKDROPS)]
    for template in (*templates, *backdrops):
        yield template.format("")
        # A template may glue its comma to the word before it.
        yield template.format("a")
    yield from map(indefinite, BACKGROUNDS)
    yield from (indefinite(style) for style in styles if style != DEFAULT_STYLE)
    yield from (indefinite(word) for place in places for word in PLACES[place].adjectives)
    for word in (word for called in words for word in called):
        yield indefinite(word)
        yield f"{word}, {DEFAULT_BACKGROUND}"


def held_out_pairs(
    pictures: int, backgrounds: Sequence[str], share: float, seed: int
) -> set[tuple[int, int]]:
    """(picture, background) pairs that no caption ever goes with, in whatever place.

    A picture is a thing in a style. The default background is always seen. The UNet and the text
    encoder never see these pairs; the autoencoder, which reads no captions, sees all.
    """
    rng = random.Random(seed)
    return {
        (picture, row)
        for picture in range(pictures)
        for row, background in enumerate(backgrounds)
        if rng.random() < share and background != DEFAULT_BACKGROUND
    }
