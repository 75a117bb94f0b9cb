"""Pictures without their names, for somebody to name, and how many were named.

`python -m training.naming ask FOLDER` draws every thing once, in the model's default style on a
background of its turn, and writes numbered sheets in a shuffled order. Whoever names them writes a
line for each: its number and what it shows. `python -m training.naming score ANSWERS` prints how
many are right, and the rest for a second look: a word of the same meaning is right too.
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from training.captions import plain_caption
from training.config import DATA, RECIPES
from training.contact_sheet import tile
from training.export import POCKET
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


def is_right(answer: str, words: Sequence[str]) -> bool:
    """Whether an answer is one of a thing's words, or shares its last, which says what it is."""
    told = re.findall("[a-z0-9-]+", answer)
    return any(
        answer == word.lower() or (told and told[-1] == word.lower().split()[-1]) for word in words
    )


def score(things: Things, answers: Mapping[int, str]) -> tuple[int, list[str]]:
    """How many answers are right, and the others beside the names."""
    # The tags are the everyday words that emojibase files the thing under.
    words = words_for(things, with_tags=True).spoken
    right, others = 0, []
    for number, row in enumerate(order(things), start=1):
        if number in answers and is_right(answers[number], words[row]):
            right += 1
        else:
            others.append(f"{number} {things.names[row]}: {answers.get(number, 'no answer')}")
    return right, others


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("ask", "score"))
    parser.add_argument("path", type=Path, help="the sheets' folder, or the answers")
    parser.add_argument("--model", type=Path, default=POCKET)
    parser.add_argument("--recipe", choices=sorted(RECIPES), default="cpu-things")
    arguments = parser.parse_args()
    things = load_things(DATA / "pictures.npz", RECIPES[arguments.recipe])
    if arguments.part == "ask":
        ask(things, arguments.model, arguments.path)
        return
    right, others = score(things, read_answers(arguments.path.read_text()))
    print(f"{right} of {len(things.names)} right; the others:", *others, sep="\n")


if __name__ == "__main__":
    main()
