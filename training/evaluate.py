"""Score an exported model: `python -m training.evaluate [--model FOLDER] [--things N]`.

Prints top-1 accuracy of the classifier over pairs of thing and background that training saw,
pairs that it never saw, and synonyms that it never saw; the share of backgrounds within 0.1 of
their colour in each channel; what guidance and steps change; and the autoencoder's PSNR.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline
from torch import nn

from training.captions import held_out_pairs, indefinite
from training.classifier import classify, own_accuracy, train_classifier
from training.config import DATA, RECIPES, RUNS
from training.export import POCKET
from training.pictures import BACKGROUNDS, Things, background_colours, composite, load_things
from training.sampling import draw, load_pipeline
from training.things import HELD_OUT_SYNONYMS

#: How far a background's channel may be from its named colour, in [0, 1].
COLOUR_TOLERANCE = 0.1

#: What a model card holds its scores between.
SCORES_BEGIN, SCORES_END = "<!-- scores -->", "<!-- end of scores -->"


@dataclass(frozen=True)
class Question:
    """A prompt, the things that answer it and the background it asks for."""

    prompt: str
    things: frozenset[int]
    background: int


def pair_questions(
    things: Things, pairs: Sequence[tuple[int, int]], rng: random.Random
) -> list[Question]:
    """One question a thing, in the plainest words, on one of its pairs' backgrounds."""
    by_thing: dict[int, list[int]] = {}
    for thing, place in pairs:
        by_thing.setdefault(thing, []).append(place)
    questions = []
    for thing, places in sorted(by_thing.items()):
        place = rng.choice(places)
        background = tuple(BACKGROUNDS)[place]
        prompt = f"{indefinite(things.names[thing])} on {indefinite(background)} background"
        questions.append(Question(prompt, frozenset({thing}), place))
    return questions


def synonym_questions(things: Things) -> list[Question]:
    """One question a held-out synonym, on the default background."""
    rows = {name: row for row, name in enumerate(things.names)}
    return [
        Question(indefinite(word), frozenset(rows[name] for name in names), 0)
        for word, names in HELD_OUT_SYNONYMS.items()
    ]


def background_is_right(picture: torch.Tensor, colour: torch.Tensor) -> bool:
    """Whether most of the border, two pixels wide, is within tolerance of `colour` (3,)."""
    border = torch.cat(
        [
            picture[:, :2].flatten(1),
            picture[:, -2:].flatten(1),
            picture[:, :, :2].flatten(1),
            picture[:, :, -2:].flatten(1),
        ],
        dim=1,
    )
    distance = (border.median(dim=1).values - colour).abs().max()
    return float(distance) <= COLOUR_TOLERANCE


def score(
    pipeline: StableDiffusionPipeline,
    classifier: nn.Sequential,
    questions: Sequence[Question],
    steps: int,
    guidance_scale: float,
) -> tuple[float, float]:
    """Shares of pictures with the right thing, and with the right background."""
    pictures = draw(
        pipeline,
        [question.prompt for question in questions],
        num_inference_steps=steps,
        guidance_scale=guidance_scale,
    )
    named = classify(classifier, pictures).tolist()
    right = sum(n in q.things for n, q in zip(named, questions, strict=True))
    colours = background_colours()
    plain = sum(
        background_is_right(picture, colours[question.background])
        for picture, question in zip(pictures, questions, strict=True)
    )
    return right / len(questions), plain / len(questions)


@torch.inference_mode()
def reconstruction_psnr(vae: AutoencoderKL, things: Things) -> float:
    """Mean PSNR in decibels of every thing on a background of its turn."""
    colours = background_colours()
    values = []
    for start in range(0, len(things.names), 16):
        rows = torch.arange(start, min(start + 16, len(things.names)))
        pictures = composite(things.pictures[rows], colours[rows % len(colours)])
        drawn = vae.decode(vae.encode(pictures).latent_dist.mode()).sample.clamp(-1, 1)
        error = ((drawn - pictures) / 2).square().mean((1, 2, 3))
        values.append(-10 * error.log10())
    return float(torch.cat(values).mean())


def write_scores(card: Path, lines: Sequence[str]) -> None:
    """Put the scores between a model card's two marks."""
    text = card.read_text()
    before, rest = text.split(SCORES_BEGIN)
    _, after = rest.split(SCORES_END)
    body = "\n".join(lines)
    card.write_text(f"{before}{SCORES_BEGIN}\n{body}\n{SCORES_END}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=POCKET)
    parser.add_argument("--recipe", choices=sorted(RECIPES), default="cpu")
    parser.add_argument("--things", type=int, default=None, help="draw only so many a row")
    parser.add_argument("--quick", action="store_true", help="seen and held-out pairs alone")
    parser.add_argument("--card", type=Path, help="write the scores into this model card")
    arguments = parser.parse_args()
    recipe = RECIPES[arguments.recipe]
    things = load_things(DATA / "pictures.npz")
    classifier = train_classifier(things, RUNS / recipe.name / "classifier.pt")
    own = own_accuracy(classifier, things)
    heading = [f"The classifier names {own:.1%} of fresh augmentations of the data right."]
    print(heading[-1], flush=True)
    pipeline = load_pipeline(arguments.model)
    if not arguments.quick:
        psnr = reconstruction_psnr(pipeline.vae, things)
        heading.append(f"The autoencoder's reconstructions have {psnr:.1f} dB PSNR.")
        print(heading[-1], flush=True)

    rng = random.Random(0)
    held_out = held_out_pairs(len(things.names), tuple(BACKGROUNDS), recipe.held_out, recipe.seed)
    every = {(t, p) for t in range(len(things.names)) for p in range(len(BACKGROUNDS))}
    rows = {
        "seen pairs": pair_questions(things, sorted(every - held_out), rng),
        "held-out pairs": pair_questions(things, sorted(held_out), rng),
        "held-out synonyms": synonym_questions(things),
    }
    settings = [(name, 25, 5.0) for name in rows]
    if arguments.quick:
        settings = settings[:2]
    else:
        settings += [("held-out pairs", 25, 1.0), ("held-out pairs", 25, 7.5)]
        settings += [("held-out pairs", 5, 5.0)]
    table = [
        "| prompts | count | steps | guidance | thing | background |",
        "|---|---|---|---|---|---|",
    ]
    print("\n".join(table))
    for name, steps, guidance_scale in settings:
        questions = rows[name]
        if arguments.things and len(questions) > arguments.things:
            questions = random.Random(1).sample(questions, arguments.things)
        thing, background = score(pipeline, classifier, questions, steps, guidance_scale)
        numbers = f"{len(questions)} | {steps} | {guidance_scale} | {thing:.1%} | {background:.1%}"
        table.append(f"| {name} | {numbers} |")
        print(table[-1], flush=True)
    if arguments.card is not None:
        write_scores(arguments.card, [*heading, "", *table])


if __name__ == "__main__":
    main()
