"""A word of a caption belongs to one thing, and the words kept from training are never spoken."""

from __future__ import annotations

import json
import re

import torch

from training.export import POCKET
from training.pictures import Things
from training.things import ALIASES, ALSO, AND_ALSO, HELD_OUT_SYNONYMS
from training.words import Words, nouns, words_for

NAMES = ("fox", "cat", "dog", "flag: Chad", *(f"thing {n}" for n in range(40)))
TAGS = (
    ("face", "vulpine", "sly", "kitten", "baby kitten"),
    ("face", "tabby"),
    ("flat", "red", "fox", "D-O-G", "hound"),
    ("chad",),
    *((f"{letter}first", f"{letter}second") for letter in map(chr, range(97, 137))),
)


def words(with_tags: bool = True) -> Words:
    pictures = torch.zeros(len(NAMES), 4, 8, 8, dtype=torch.uint8)
    drawn = tuple((row, "3d") for row in range(len(NAMES)))
    return words_for(Things(pictures, NAMES, drawn, TAGS), with_tags)


def test_a_name_comes_first_and_tags_only_if_asked_for() -> None:
    assert [called[0] for called in words().spoken] == list(NAMES)
    assert words(with_tags=False).spoken[0] == ("fox",)
    assert words(with_tags=False).spoken[1] == ("cat", "cats", "feline")
    assert not words(with_tags=False).held_out_tags


def test_only_tags_of_one_thing_alone_that_say_nothing_else_are_spoken() -> None:
    known = words()
    fox = {*known.spoken[0], *known.held_out_tags}
    assert {"vulpine", "sly"} <= fox
    assert known.spoken[1] == ("cat", "cats", "feline", "tabby")
    assert known.spoken[2] == ("dog", "dogs", "hound")
    assert known.spoken[3] == ("flag: Chad", "flag of Chad", "chad")


def test_no_held_out_word_is_spoken() -> None:
    known = words()
    spoken = {word for called in known.spoken for part in called for word in (part, *part.split())}
    assert known.held_out_tags
    assert not spoken & set(known.held_out_tags)
    assert not spoken & set(HELD_OUT_SYNONYMS)


def every_chosen_name() -> set[str]:
    """What pocket knows, among it all chosen animals, plants and food, and all others chosen."""
    return {*json.loads((POCKET / "things.json").read_text())["things"], *ALSO, *AND_ALSO}


def test_no_held_out_word_is_in_a_chosen_things_name_and_all_answers_are_chosen() -> None:
    names = every_chosen_name()
    assert set(ALIASES) <= names
    spoken = {
        part
        for name in names
        for word in (name, *ALIASES.get(name, ()))
        for part in re.findall("[a-z]+", word.lower())
    }
    assert not spoken & set(HELD_OUT_SYNONYMS)
    assert {name for answers in HELD_OUT_SYNONYMS.values() for name in answers} <= names


def test_a_word_that_is_anothers_name_is_no_alias() -> None:
    # Emoji that things.toml leaves out, beside those that it calls so.
    names = (*sorted(every_chosen_name()), "train", "mountain", "keyboard", "smiling face")
    drawn = tuple((row, "3d") for row in range(len(names)))
    pictures = torch.zeros(1, 4, 8, 8, dtype=torch.uint8)
    spoken = words_for(Things(pictures, names, drawn), with_tags=False).spoken
    every = [word.lower() for called in spoken for word in called]
    assert len(every) == len(set(every))
    by_name = {called[0]: called for called in spoken}
    assert by_name["locomotive"] == ("locomotive", "steam train")
    assert by_name["train"] == ("train",)


def test_a_held_out_word_names_the_things_that_answer() -> None:
    known = words()
    assert known.held_out_synonyms["kitten"] == {1}
    assert "hawk" not in known.held_out_synonyms
    for tag, (row,) in known.held_out_tags.items():
        assert tag in TAGS[row]


def test_a_noun_says_what_a_thing_is() -> None:
    names = [("bear with a red hat", "teddy"), ("T-rex",), ("small ear of corn", "Maize")]
    assert nouns(names) == {"bear", "hat", "teddy", "rex", "ear", "corn", "maize"}
