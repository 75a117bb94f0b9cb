"""Sheets to name: every thing is asked once, and an answer is right in more than one word."""

from __future__ import annotations

import pytest
import torch

from training.naming import is_right, order, read_answers, score
from training.pictures import Things

NAMES = ("red apple", "fox", "automobile")
THINGS = Things(
    torch.zeros(3, 4, 8, 8, dtype=torch.uint8), NAMES, tuple((row, "3d") for row in range(3))
)


def test_every_thing_is_asked_once() -> None:
    assert sorted(order(THINGS)) == [0, 1, 2]


def test_answers_are_read_by_their_numbers() -> None:
    text = "1. red Apple\n\nnot an answer\n 12: a fox \n3 car"
    assert read_answers(text) == {1: "red apple", 12: "a fox", 3: "car"}


@pytest.mark.parametrize(
    ("answer", "words", "right"),
    [
        ("red apple", ("red apple", "apple"), True),
        ("an apple", ("red apple",), True),
        ("apple tree", ("red apple", "apple"), False),
        ("car", ("automobile", "car"), True),
        ("", ("fox",), False),
    ],
)
def test_an_answer_is_right_by_the_word_that_says_what_it_is(
    answer: str, words: tuple[str, ...], right: bool
) -> None:
    assert is_right(answer, words) is right


def test_the_others_are_told_with_what_was_answered() -> None:
    numbers = {THINGS.names[row]: number for number, row in enumerate(order(THINGS), start=1)}
    answers = {numbers["red apple"]: "apple", numbers["fox"]: "cat"}
    right, others = score(THINGS, answers)
    assert right == 1
    assert set(others) == {
        f"{numbers['fox']} fox: cat",
        f"{numbers['automobile']} automobile: no answer",
    }
