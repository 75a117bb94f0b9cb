"""What things are called, beside their names: which words captions use, and which none does."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from training.pictures import BACKGROUNDS, Things
from training.places import PLACES
from training.styles import STYLES
from training.things import ALIASES, HELD_OUT_SYNONYMS

#: A tag that reads like a word or two, with no sign that captions would have to explain.
PLAIN = re.compile(r"[a-z]{3,}( [a-z]+)?")
#: Share of the things with two tags or more that keep one of them from the captions.
HELD_OUT_TAGS = 0.2


#: Words within names that say nothing of the thing.
JOINING = {"and", "the", "with"}


@dataclass(frozen=True)
class Words:
    """What each thing is called.

    `spoken` holds each thing's words for captions, its name first; `held_out` maps words that no
    caption uses to the things that answer to them, those of things.toml apart from the tags.
    """

    spoken: tuple[tuple[str, ...], ...]
    held_out_synonyms: Mapping[str, frozenset[int]]
    held_out_tags: Mapping[str, frozenset[int]]


def reserved_words() -> set[str]:
    """Words of a caption that say something else than the thing."""
    phrases = [
        phrase for place in PLACES.values() for phrase in (*place.adjectives, *place.phrases)
    ]
    phrases += [phrase for style in STYLES.values() for phrase in style]
    return {*BACKGROUNDS, *re.findall("[a-z0-9]+", " ".join([*phrases, *STYLES]))}


def nouns(spoken: Iterable[Sequence[str]]) -> set[str]:
    """The single words of what things are called that say what they are."""
    phrases = " ".join(phrase.lower() for phrases in spoken for phrase in phrases)
    return set(re.findall("[a-z]{3,}", phrases)) - reserved_words() - JOINING


def flag_words(name: str) -> tuple[str, ...]:
    """How a flag, which emojibase files as "flag: Chad", is called in a sentence."""
    return (f"flag of {name.removeprefix('flag: ')}",) if name.startswith("flag: ") else ()


def unique_tags(things: Things) -> list[list[str]]:
    """For each thing the tags that are its own alone, and nothing else's name or alias."""
    names = {name.lower() for name in things.names}
    taken = names | {word for words in ALIASES.values() for word in words} | reserved_words()
    count = Counter(tag for tags in things.tags for tag in set(tags))
    return [
        [
            tag
            for tag in dict.fromkeys(tags)
            if count[tag] == 1
            and tag not in taken
            and PLAIN.fullmatch(tag)
            and not set(tag.split()) & set(HELD_OUT_SYNONYMS)
        ]
        for tags in things.tags
    ]


def words_for(things: Things, with_tags: bool, seed: int = 0) -> Words:
    """The names and aliases of things, with their unique tags if asked for."""
    rows = {name: row for row, name in enumerate(things.names)}
    synonyms = {
        word: frozenset(rows[name] for name in names if name in rows)
        for word, names in HELD_OUT_SYNONYMS.items()
    }
    names = {name.lower() for name in things.names}
    # An alias that is another thing's name would mean two pictures.
    spoken: list[Sequence[str]] = [
        (name, *(alias for alias in ALIASES.get(name, ()) if alias.lower() not in names))
        for name in things.names
    ]
    held_out: dict[str, frozenset[int]] = {}
    if with_tags:
        rng = random.Random(seed)
        for row, tags in enumerate(unique_tags(things)):
            if len(tags) > 1 and rng.random() < HELD_OUT_TAGS:
                held_out[tags.pop(rng.randrange(len(tags)))] = frozenset({row})
            spoken[row] = (*spoken[row], *flag_words(things.names[row]), *tags)
    return Words(
        tuple(tuple(words) for words in spoken),
        {word: answers for word, answers in synonyms.items() if answers},
        held_out,
    )
