"""Captions name their thing and their background, and every token they use is known."""

from __future__ import annotations

import random

import pytest

from training.captions import (
    caption_words,
    draw_caption,
    held_out_pairs,
    indefinite,
    plain_caption,
)
from training.pictures import BACKGROUNDS
from training.places import PLACES
from training.styles import STYLES
from training.things import ALIASES, ALSO, HELD_OUT_SYNONYMS, LEFT_OUT, is_chosen

WORDS = (("red apple", "apple"), ("fox",), ("octopus",), ("honeybee", "bee"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("apple", "an apple"),
        ("fox", "a fox"),
        ("unicorn", "a unicorn"),
        ("umbrella", "an umbrella"),
    ],
)
def test_a_name_gets_its_article(name: str, expected: str) -> None:
    assert indefinite(name) == expected


def test_a_caption_names_its_thing_and_its_background() -> None:
    rng = random.Random(0)
    for words in WORDS:
        for _ in range(200):
            caption = draw_caption(words, "blue", rng)
            assert any(word in caption for word in words), caption
            assert "blue" in caption


def test_only_white_goes_without_saying() -> None:
    rng = random.Random(0)
    on_white = [draw_caption(("fox",), "white", rng) for _ in range(200)]
    assert 0 < sum("white" in caption for caption in on_white) < 200


def test_captions_of_one_seed_stay_what_they_are() -> None:
    rng = random.Random(0)
    backgrounds = ("white", "red", "green")
    drawn = [draw_caption(WORDS[n % 4], backgrounds[n % 3], rng) for n in range(12)]
    assert drawn == [
        "a picture of a red apple",
        "fox on a red background",
        "an octopus on green",
        "honeybee",
        "apple in front of a red background",
        "a picture of a fox on a green background",
        "an octopus, large on white background",
        "a bee, red background",
        "apple on a green background",
        "fox",
        "a 3d emoji of an octopus on red background",
        "a picture of a bee on a green background",
    ]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("place", PLACES)
def test_every_style_and_place_but_the_default_ones_is_said(style: str, place: str) -> None:
    rng = random.Random(0)
    others = {
        "small": {"small", "tiny"},
        "bottom right": {"bottom right", "in the corner"},
    }
    for _ in range(100):
        caption = draw_caption(("fox",), "red", rng, style, place)
        assert "fox" in caption
        assert ("flat" in caption) == (style == "flat"), caption
        assert ("cartoon" in caption) == (style == "cartoon"), caption
        is_large = any(word in caption for word in ("large", "big", "close up"))
        assert not is_large or place == "centred", caption
        said = any(word in caption for word in others.get(place, {place}))
        assert said == (place != "centred"), caption


def test_no_caption_means_two_pictures() -> None:
    rng = random.Random(0)
    meant: dict[str, tuple[str, str, str]] = {}
    for _ in range(20_000):
        picture = (
            rng.choice(tuple(STYLES)),
            rng.choice(tuple(PLACES)),
            rng.choice(("white", "red")),
        )
        style, place, background = picture
        caption = draw_caption(("fox",), background, rng, style, place)
        assert meant.setdefault(caption, picture) == picture, caption


def test_the_plainest_caption_says_everything() -> None:
    assert plain_caption("fox", "blue") == "a fox on a blue background"
    assert plain_caption("fox", "blue", "flat", "small") == "a small flat fox on a blue background"
    corner = plain_caption("owl", "orange", "cartoon", "top left")
    assert corner == "a cartoon owl in the top left corner on an orange background"


def test_words_cover_every_caption() -> None:
    rng = random.Random(0)
    texts = caption_words(WORDS, tuple(STYLES), tuple(PLACES))
    covered = {word for text in texts for word in text.replace(",", " ").split()}
    for _ in range(2000):
        style, place = rng.choice(tuple(STYLES)), rng.choice(tuple(PLACES))
        background = rng.choice(tuple(BACKGROUNDS))
        caption = draw_caption(rng.choice(WORDS), background, rng, style, place)
        assert set(caption.replace(",", " ").split()) <= covered, caption


def test_no_caption_uses_a_held_out_synonym() -> None:
    words = {word for aliases in ALIASES.values() for alias in aliases for word in alias.split()}
    assert not words & set(HELD_OUT_SYNONYMS)


def test_held_out_pairs_are_the_same_every_time_and_never_on_white() -> None:
    places = tuple(BACKGROUNDS)
    pairs = held_out_pairs(100, places, 0.1, seed=0)
    assert pairs == held_out_pairs(100, places, 0.1, seed=0)
    assert 50 < len(pairs) < 150
    assert all(places[place] != "white" for _, place in pairs)
    assert held_out_pairs(6, places, 0.1, seed=0) == {(3, 5), (5, 2)}


def test_the_lists_of_things_agree() -> None:
    assert not LEFT_OUT & ALSO
    assert not LEFT_OUT & set(ALIASES)
    assert is_chosen("fox", 3)
    assert is_chosen("rocket", 5)
    assert not is_chosen("microbe", 3)
    assert not is_chosen("no entry", 8)
