"""Captions name their thing and their background, and every token they use is known."""

from __future__ import annotations

import random

import pytest

from training.captions import caption_words, draw_caption, held_out_pairs, indefinite
from training.pictures import BACKGROUNDS
from training.things import ALIASES, ALSO, HELD_OUT_SYNONYMS, LEFT_OUT, is_chosen

NAMES = ("red apple", "fox", "octopus")


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
    words = {"red apple": ("apple",), "fox": ("fox",), "octopus": ("octopus",)}
    for name in NAMES:
        for _ in range(200):
            caption = draw_caption(name, "blue", rng)
            assert any(word in caption for word in words[name]), caption
            assert "blue" in caption


def test_only_white_goes_without_saying() -> None:
    rng = random.Random(0)
    on_white = [draw_caption("fox", "white", rng) for _ in range(200)]
    assert 0 < sum("white" in caption for caption in on_white) < 200


def test_words_cover_every_caption() -> None:
    rng = random.Random(0)
    covered = {word for text in caption_words(NAMES) for word in text.replace(",", " ").split()}
    for _ in range(500):
        caption = draw_caption(rng.choice(NAMES), rng.choice(tuple(BACKGROUNDS)), rng)
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


def test_the_lists_of_things_agree() -> None:
    assert not LEFT_OUT & ALSO
    assert not LEFT_OUT & set(ALIASES)
    assert is_chosen("fox", 3)
    assert is_chosen("rocket", 5)
    assert not is_chosen("microbe", 3)
    assert not is_chosen("no entry", 8)
