"""What a model is asked: prompts with the things, backgrounds and places that answer them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from training.captions import held_out_pairs, indefinite, plain_caption
from training.config import Recipe
from training.pictures import BACKGROUNDS, Things, View
from training.words import Words, words_for

#: Prompts on a contact sheet.
SHEET = 64


@dataclass(frozen=True)
class Question:
    """A prompt, the things that answer it, the background it asks for and the view it means.

    A synonym means no view of its own.
    """

    prompt: str
    things: frozenset[int]
    background: int
    view: View | None = None


def pair_questions(
    things: Things, recipe: Recipe, pairs: Iterable[tuple[int, int]], rng: random.Random
) -> list[Question]:
    """One question a thing, in the plainest words: one of its pairs of picture and background.

    Half of them are centred, if the recipe knows other places.
    """
    by_thing: dict[int, list[tuple[int, int]]] = {}
    for picture, background in sorted(pairs):
        by_thing.setdefault(things.drawn[picture][0], []).append((picture, background))
    questions = []
    for thing, own in sorted(by_thing.items()):
        picture, background = rng.choice(own)
        others = recipe.places[1:]
        place = rng.choice(others) if others and rng.random() < 0.5 else recipe.places[0]
        view = View(picture, place)
        named, style = tuple(BACKGROUNDS)[background], things.drawn[picture][1]
        prompt = plain_caption(things.names[thing], named, style, view.place)
        questions.append(Question(prompt, frozenset({thing}), background, view))
    return questions


def word_questions(words: Mapping[str, frozenset[int]]) -> list[Question]:
    """One question a word, on the default background."""
    return [Question(indefinite(word), answers, 0) for word, answers in words.items()]


def all_questions(things: Things, recipe: Recipe) -> dict[str, list[Question]]:
    """Every row of questions: the same ones each time for the same things and recipe."""
    rng = random.Random(0)
    held_out = held_out_combinations(things, recipe)
    every = {(p, b) for p in range(len(things.drawn)) for b in range(len(BACKGROUNDS))}
    words: Words = words_for(things, recipe.tags, recipe.seed)
    rows = {
        "seen combinations": pair_questions(things, recipe, every - held_out, rng),
        "held-out combinations": pair_questions(things, recipe, held_out, rng),
        "held-out synonyms": word_questions(words.held_out_synonyms),
        "held-out tags": word_questions(words.held_out_tags),
    }
    return {name: questions for name, questions in rows.items() if questions}


def held_out_combinations(things: Things, recipe: Recipe) -> set[tuple[int, int]]:
    """(picture, background) pairs that the recipe holds out: its UNet never sees them."""
    return held_out_pairs(len(things.drawn), tuple(BACKGROUNDS), recipe.held_out, recipe.seed)


def sheet_questions(things: Things, recipe: Recipe) -> list[Question]:
    """The contact sheet's 64: held-out combinations of as many things, the same ones each time."""
    rng = random.Random(1)
    questions = pair_questions(things, recipe, held_out_combinations(things, recipe), rng)
    return rng.sample(questions, min(SHEET, len(questions)))
