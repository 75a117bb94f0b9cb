"""Score an exported model: `python -m training.evaluate [--model FOLDER]`.

Prints top-1 accuracy of the classifier over combinations of thing, style and background that the
UNet was trained on, combinations and words that were held out; the share of backgrounds
within 0.1 of their colour in each channel; what guidance and steps change; and the autoencoder's
PSNR. "The data itself" is what the same measures say of the true pictures.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline
from torch import nn

from sdtui.params import DEFAULT_GUIDANCE
from training.classifier import classify, own_accuracy, train_classifier
from training.config import DATA, RUNS, Recipe
from training.export import POCKET
from training.known import recipe_of
from training.pictures import Things, background_colours, composite, load_things, place_pictures
from training.questions import Question, all_questions
from training.sampling import draw, load_pipeline

#: How far a background's channel may be from its named colour, in [0, 1].
COLOUR_TOLERANCE = 0.1

#: What a model card holds its scores between.
SCORES_BEGIN, SCORES_END = "<!-- scores -->", "<!-- end of scores -->"

HELD_OUT = "held-out combinations"
HEADER = (
    "| prompts | count | steps | guidance | thing | background |",
    "|---|---|---|---|---|---|",
)

#: What the rows mean, below them.
NOTES = """
Held-out combinations are a thing in a style on a background that the UNet and the text encoder
never see together, in whatever place; the autoencoder sees every picture on every background.
Held-out synonyms are words that no caption uses. Style and place are asked for and not scored by
themselves: a row named after one says how often the thing and the background are right where it is
asked for. A share of 25 questions is good to 10 points, one of 300 to 3 (a standard error).
"""


@dataclass(frozen=True)
class Answers:
    """For each of some questions, whether the right thing and the right background were drawn."""

    questions: Sequence[Question]
    things: Sequence[bool]
    backgrounds: Sequence[bool]

    def row(self, name: str, steps: object, guidance_scale: object) -> str:
        """A line of the table."""
        count = len(self.questions)
        shares = (sum(self.things) / count, sum(self.backgrounds) / count)
        numbers = f"{count} | {steps} | {guidance_scale} | {shares[0]:.1%} | {shares[1]:.1%}"
        return f"| {name} | {numbers} |"

    def among(self, wanted: Callable[[Question], bool]) -> Answers | None:
        """The answers to some of the questions, or None where there are none or no others."""
        rows = [row for row, question in enumerate(self.questions) if wanted(question)]
        if not rows or len(rows) == len(self.questions):
            return None
        parts = (self.questions, self.things, self.backgrounds)
        return Answers(*([part[row] for row in rows] for part in parts))


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


def judge(
    pictures: torch.Tensor, classifier: nn.Sequential, questions: Sequence[Question]
) -> Answers:
    """What pictures (questions, 3, height, width) in [0, 1] answer."""
    named = classify(classifier, pictures).tolist()
    colours = background_colours()
    return Answers(
        questions,
        [n in question.things for n, question in zip(named, questions, strict=True)],
        [
            background_is_right(picture, colours[question.background])
            for picture, question in zip(pictures, questions, strict=True)
        ],
    )


def true_pictures(things: Things, questions: Sequence[Question]) -> torch.Tensor:
    """The data's own answers, (questions, 3, size, size) in [0, 1]."""
    colours = background_colours()[[question.background for question in questions]]
    chosen = [question.view for question in questions if question.view is not None]
    return (composite(place_pictures(things, chosen), colours) + 1).cpu() / 2


@torch.inference_mode()
def reconstruction_psnr(vae: AutoencoderKL, things: Things) -> float:
    """Mean PSNR in decibels of every picture on a background of its turn."""
    colours = background_colours()
    values = []
    for start in range(0, len(things.pictures), 16):
        rows = torch.arange(start, min(start + 16, len(things.pictures)))
        pictures = composite(things.pictures[rows], colours[rows % len(colours)])
        drawn = vae.decode(vae.encode(pictures).latent_dist.mode()).sample.clamp(-1, 1)
        error = ((drawn - pictures) / 2).square().mean((1, 2, 3))
        values.append(-10 * error.log10())
    return float(torch.cat(values).mean())


def breakdown(things: Things, recipe: Recipe, answers: Answers) -> Iterator[tuple[str, Answers]]:
    """Answers to parts of the questions: chosen, known and new things, each style, each place."""
    parts: dict[str, Callable[[Question], bool]] = {
        "chosen things": lambda question: bool(question.things & things.chosen)
    }
    if recipe.known:
        parts["known before"] = lambda question: min(question.things) < recipe.known
        parts["new things"] = lambda question: min(question.things) >= recipe.known
    for style in recipe.styles:
        parts[style] = lambda q, style=style: (
            q.view is not None and things.drawn[q.view.picture][1] == style
        )
    for place in recipe.places:
        parts[place] = lambda q, place=place: q.view is not None and q.view.place == place
    for name, wanted in parts.items():
        part = answers.among(wanted)
        if part is not None:
            yield name, part


def evaluate(
    pipeline: StableDiffusionPipeline,
    things: Things,
    recipe: Recipe,
    run: Path,
    *,
    most: int | None = None,
    quick: bool = False,
) -> list[str]:
    """The lines of a report, printed as they come; all of it runs where `things` are."""
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        print(line, flush=True)

    classifier = train_classifier(things, recipe, run / "classifier.pt")
    own = own_accuracy(classifier, things, recipe)
    say(f"The classifier names {own:.1%} of fresh augmentations of the data right.")
    if not quick:
        psnr = reconstruction_psnr(pipeline.vae, things)
        say(f"The autoencoder's reconstructions have {psnr:.1f} dB PSNR.")
    say("")
    rows = all_questions(things, recipe)
    if most is not None:
        rows = {
            name: random.Random(1).sample(questions, most) if len(questions) > most else questions
            for name, questions in rows.items()
        }
    settings = [(name, 25, DEFAULT_GUIDANCE) for name in rows]
    if quick:
        settings = settings[:2]
    else:
        settings += [(HELD_OUT, 25, 1.0), (HELD_OUT, 25, 7.5)]
        settings += [(HELD_OUT, 5, DEFAULT_GUIDANCE), (HELD_OUT, 5, 7.5)]
    for line in HEADER:
        say(line)
    if HELD_OUT in rows:
        truth = judge(true_pictures(things, rows[HELD_OUT]), classifier, rows[HELD_OUT])
        say(truth.row(f"{HELD_OUT}, the data itself", "", ""))
    told = set()
    for name, steps, guidance_scale in settings:
        questions = rows[name]
        pictures = draw(
            pipeline,
            [question.prompt for question in questions],
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
            batch_size=8 if pipeline.device.type == "cpu" else 256,
        )
        answers = judge(pictures, classifier, questions)
        say(answers.row(name, steps, guidance_scale))
        if name not in told:
            for part, few in breakdown(things, recipe, answers):
                say(few.row(f"{name}: {part}", steps, guidance_scale))
        told.add(name)
    for line in NOTES.rstrip().split("\n"):
        say(line)
    return lines


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
    parser.add_argument("--things", type=int, default=None, help="draw only so many a row")
    parser.add_argument("--quick", action="store_true", help="seen and held-out pairs alone")
    parser.add_argument("--card", type=Path, help="write the scores into this model card")
    arguments = parser.parse_args()
    recipe = replace(recipe_of(arguments.model), device="cpu")
    lines = evaluate(
        load_pipeline(arguments.model),
        load_things(DATA / "pictures.npz", recipe),
        recipe,
        RUNS / recipe.name,
        most=arguments.things,
        quick=arguments.quick,
    )
    if arguments.card is not None:
        write_scores(arguments.card, lines)


if __name__ == "__main__":
    main()
