"""Pictures without their names, for somebody to name, and how many were named.

`python -m training.naming ask FOLDER` draws every thing once, in the model's default style on a
background of its turn, and writes numbered sheets in a shuffled order. Whoever names them writes a
line for each: its number and what it shows. `python -m training.naming score ANSWERS` prints how
many are right, those of them that are by their last word alone, and the rest, both for a second
look: a word of the same meaning is right too.
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from training.captions import plain_caption
from training.config import DATA
from training.contact_sheet import tile
from training.export import POCKET
from training.known import recipe_of
from training.pictures import BACKGROUNDS, Things, load_things
from training.sampling import draw, load_pipeline
from training.words import words_for

#: Pictures on a sheet.
SHEET = 48


def order(things: Things) -> list[int]:
    """The things in the order of the sheets' numbers, which begin with 1."""
    rows = list(range(len(things.names)))
    random.Random(0).shuffle(rows)
    return rows


def ask(things: Things, model: Path, folder: Path) -> None:
    """Write the numbered sheets."""
    folder.mkdir(parents=True, exist_ok=True)
    pipeline, named = load_pipeline(model), tuple(BACKGROUNDS)
    rows = order(things)
    for start in range(0, len(rows), SHEET):
        numbers = range(start + 1, min(start + SHEET, len(rows)) + 1)
        prompts = [
            plain_caption(things.names[rows[number - 1]], named[number % len(named)])
            for number in numbers
        ]
        sheet = tile(draw(pipeline, prompts), [str(number) for number in numbers])
        path = folder / f"{numbers[0]:03}-{numbers[-1]:03}.png"
        sheet.save(path)
        print(path, flush=True)


def read_answers(text: str) -> dict[int, str]:
    """Answers by number, from lines such as `17 red apple`."""
    lines = (re.match(r"\s*(\d+)\W*\s(.*\S)", line) for line in text.splitlines())
    return {int(line[1]): line[2].lower() for line in lines if line is not None}


class Judge:
    """Knows what everything is called, and so which answers mean another thing."""

    def __init__(self, words: Sequence[Sequence[str]]) -> None:
        self.words = [[plain(word) for word in called] for called in words]

    def is_named(self, answer: str, thing: int) -> bool:
        """Whether an answer, with an article or without, is one of the thing's words."""
        return plain(answer) in self.words[thing]

    def is_meant(self, answer: str, thing: int) -> bool:
        """Whether the last word of an answer, which says what it is, is one's of the thing.

        Other things' words may not end in it, nor be the answer: a dog face is no cat face. But
        what is named a black cat is a cat, for one who says no more than that.
        """
        told = plain(answer)
        if last_word(told) not in map(last_word, self.words[thing]):
            return False
        others = [word for row, called in enumerate(self.words) if row != thing for word in called]
        if told in others:
            return told == last_word(self.words[thing][0])
        return last_word(told) not in map(last_word, others)


def plain(answer: str) -> str:
    """Words in small letters, without an article or marks between them."""
    return re.sub(r"^(an?|the) ", "", " ".join(re.findall(r"[\w-]+", answer.lower())))


def last_word(words: str) -> str:
    """The last of some words, which says what they mean."""
    return words.split(" ")[-1]


@dataclass
class Score:
    """How many answers are right, and lines for a second look."""

    right: int = 0
    #: Those that are right by their last word alone.
    by_last_word: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def score(things: Things, answers: Mapping[int, str]) -> Score:
    """What the answers are worth."""
    # The tags are the everyday words that emojibase files the thing under, whether captions use
    # them or not.
    words = words_for(things, with_tags=True)
    called = [list(spoken) for spoken in words.spoken]
    for tag, rows in words.held_out_tags.items():
        for row in rows:
            called[row].append(tag)
    judge = Judge(called)
    result = Score()
    for number, row in enumerate(order(things), start=1):
        answer = answers.get(number, "")
        line = f"{number} {things.names[row]}: {answer or 'no answer'}"
        if judge.is_named(answer, row):
            result.right += 1
        elif judge.is_meant(answer, row):
            result.right += 1
            result.by_last_word.append(line)
        else:
            result.others.append(line)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("ask", "score"))
    parser.add_argument("path", type=Path, help="the sheets' folder, or the answers")
    parser.add_argument("--model", type=Path, default=POCKET)
    arguments = parser.parse_args()
    things = load_things(DATA / "pictures.npz", recipe_of(arguments.model))
    if arguments.part == "ask":
        ask(things, arguments.model, arguments.path)
        return
    result = score(things, read_answers(arguments.path.read_text()))
    print(f"{result.right} of {len(things.names)} right")
    print("Right by the last word alone:", *result.by_last_word, sep="\n")
    print("The others:", *result.others, sep="\n")


if __name__ == "__main__":
    main()
