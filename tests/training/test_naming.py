"""Sheets to name: every thing is asked once, and an answer is right in more than one word."""

from __future__ import annotations

import string

import pytest
import torch

from training.naming import Judge, order, read_answers, score
from training.pictures import Things
from training.words import words_for

NAMES = ("red apple", "fox", "automobile")
THINGS = Things(
    torch.zeros(3, 4, 8, 8, dtype=torch.uint8), NAMES, tuple((row, "3d") for row in range(3))
)


def test_every_thing_is_asked_once() -> None:
    assert sorted(order(THINGS)) == [0, 1, 2]


def test_answers_are_read_by_their_numbers() -> None:
    text = "1. red Apple\n\nnot an answer\n 12: a fox \n3 car"
    assert read_answers(text) == {1: "red apple", 12: "a fox", 3: "car"}


WORDS = (
    ("red apple", "apple"),
    ("green apple",),
    ("cat", "tabby"),
    ("cat face", "kitty"),
    ("black cat",),
    ("dog",),
    ("dog face",),
    ("hot dog", "frankfurter"),
    ("wine glass", "glass of red wine"),
    ("lion",),
    ("seal", "sea lion"),
    ("piñata",),
    ("T-Rex",),
)


@pytest.mark.parametrize(
    ("answer", "thing", "verdict"),
    [
        ("red apple", "red apple", "named"),
        ("an apple", "red apple", "named"),
        ("a T-rex", "T-Rex", "named"),
        ("the piñata", "piñata", "named"),
        ("ripe apple", "red apple", "wrong"),
        ("apple tree", "red apple", "wrong"),
        ("red apple", "green apple", "wrong"),
        ("apple", "green apple", "meant"),
        ("dog face", "cat face", "wrong"),
        ("face", "cat face", "wrong"),
        ("hot dog", "dog", "wrong"),
        ("cat", "black cat", "meant"),
        ("black cat", "cat", "wrong"),
        ("lion", "seal", "wrong"),
        ("grey tabby", "cat", "meant"),
        ("red wine", "wine glass", "meant"),
        ("", "dog", "wrong"),
    ],
)
def test_an_answer_is_right_by_its_words_or_by_a_last_one_that_means_nothing_else(
    answer: str, thing: str, verdict: str
) -> None:
    judge, row = Judge(WORDS), [called[0] for called in WORDS].index(thing)
    assert judge.is_named(answer, row) == (verdict == "named")
    if verdict != "named":
        assert judge.is_meant(answer, row) == (verdict == "meant")


def test_no_thing_answers_to_anothers_name() -> None:
    judge = Judge(WORDS)
    for row in range(len(WORDS)):
        others = {called[0] for thing, called in enumerate(WORDS) if thing != row}
        assert not {name for name in others if judge.is_named(name, row)}


def test_all_but_what_is_named_exactly_is_told_with_what_was_answered() -> None:
    numbers = {THINGS.names[row]: number for number, row in enumerate(order(THINGS), start=1)}
    answers = {numbers["red apple"]: "ripe apple", numbers["fox"]: "cat"}
    result = score(THINGS, answers)
    assert result.right == 1
    assert result.by_last_word == [f"{numbers['red apple']} red apple: ripe apple"]
    assert set(result.others) == {
        f"{numbers['fox']} fox: cat",
        f"{numbers['automobile']} automobile: no answer",
    }
    assert score(THINGS, {numbers["automobile"]: "a car"}).right == 1


def test_a_tag_that_no_caption_uses_is_an_answer_as_well() -> None:
    letters = string.ascii_lowercase
    names = tuple(f"thing {letter}" for letter in letters)
    tags = tuple((f"first {letter * 3}", f"other {letter * 3}") for letter in letters)
    things = Things(torch.zeros(len(names), 4, 8, 8, dtype=torch.uint8), names, (), tags)
    assert words_for(things, with_tags=True).held_out_tags
    for which in range(2):
        answers = {n: tags[row][which] for n, row in enumerate(order(things), start=1)}
        result = score(things, answers)
        assert (result.right, result.by_last_word) == (len(names), [])
