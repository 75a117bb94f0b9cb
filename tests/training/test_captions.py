"""Captions name their thing and their background, and every token they use is known."""

from __future__ import annotations

import random

import pytest

from training.captions import CaptionWriter, distinct_tags, held_out_pairs, indefinite
from training.pictures import BACKGROUNDS
from training.things import ALIASES, ALSO, LEFT_OUT, is_chosen

NAMES = ("red apple", "fox", "octopus")
TAGS = {"fox": ("vixen",)}


@pytest.mark.parametrize(
    ("name", "expected"), [("apple", "an apple"), ("fox", "a fox"), ("unicorn", "a unicorn")]
)
def test_a_name_gets_its_article(name: str, expected: str) -> None:
    assert indefinite(name) == expected


def test_a_caption_names_its_thing_and_its_background() -> None:
    writer, rng = CaptionWriter(TAGS), random.Random(0)
    words = {"red apple": ("apple",), "fox": ("fox", "vixen"), "octopus": ("octopus",)}
    for name in NAMES:
        for _ in range(200):
            caption = writer.caption(name, "blue", rng)
            assert any(word in caption for word in words[name]), caption
            assert "blue" in caption


def test_only_white_goes_without_saying() -> None:
    writer, rng = CaptionWriter({}), random.Random(0)
    on_white = [writer.caption("fox", "white", rng) for _ in range(200)]
    assert 0 < sum("white" in caption for caption in on_white) < 200


def test_words_cover_every_caption() -> None:
    writer, rng = CaptionWriter(TAGS), random.Random(0)
    covered = {word for text in writer.words(NAMES) for word in text.replace(",", " ").split()}
    for _ in range(500):
        caption = writer.caption(rng.choice(NAMES), rng.choice(tuple(BACKGROUNDS)), rng)
        assert set(caption.replace(",", " ").split()) <= covered, caption


def test_a_tag_shared_by_two_things_names_neither() -> None:
    used, held_out = distinct_tags(
        ("fox", "wolf"), (("animal", "vixen"), ("animal", "pack", "howl", "lupine"))
    )
    assert used["fox"] == ("vixen",)
    assert held_out["wolf"] not in used["wolf"]
    assert len(used["wolf"]) == 2
    assert "fox" not in held_out


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
