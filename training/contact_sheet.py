"""A picture of many pictures: `python -m training.contact_sheet [--model FOLDER] [-o FILE]`.

The 64 prompts follow from the things, styles and places that the model knows and their seeds are 0
to 63, so that two models can be compared side by side. Every one is a combination that the UNet and
the text encoder have never seen.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw

from sdtui.params import DEFAULT_GUIDANCE
from training.config import DATA
from training.export import POCKET
from training.known import recipe_of
from training.pictures import load_things
from training.questions import sheet_questions
from training.sampling import draw, load_pipeline

COLUMNS, LABEL_HEIGHT, LABEL_LENGTH = 8, 25, 21


def label_lines(prompt: str) -> str:
    """A prompt in two lines at most, as narrow as its picture."""
    short = prompt.removesuffix(" background").replace(" on an ", " / ").replace(" on a ", " / ")
    lines = textwrap.wrap(short, LABEL_LENGTH, max_lines=2, placeholder="…")
    return "\n".join(lines)


def tile(pictures: torch.Tensor, labels: Sequence[str], columns: int = COLUMNS) -> Image.Image:
    """Pictures (n, 3, height, width) in [0, 1] in rows, each above its label."""
    height, width = pictures.shape[-2:]
    rows = -(-len(labels) // columns)
    sheet = Image.new("RGB", (columns * width, rows * (height + LABEL_HEIGHT)), "white")
    pen = ImageDraw.Draw(sheet)
    for index, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        left, top = index % columns * width, index // columns * (height + LABEL_HEIGHT)
        pixels = (picture.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
        sheet.paste(Image.fromarray(pixels), (left, top))
        pen.text((left + 2, top + height), label_lines(label), fill="black", spacing=0)
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=POCKET)
    parser.add_argument("-o", "--output", type=Path, default=Path("contact_sheet.png"))
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--guidance-scale", type=float, default=DEFAULT_GUIDANCE)
    parser.add_argument("--prompts", nargs="*", help="prompts instead of the fixed ones")
    arguments = parser.parse_args()
    prompts = arguments.prompts
    if not prompts:
        recipe = recipe_of(arguments.model)
        things = load_things(DATA / "pictures.npz", recipe)
        prompts = [question.prompt for question in sheet_questions(things, recipe)]
    pictures = draw(
        load_pipeline(arguments.model),
        prompts,
        num_inference_steps=arguments.steps,
        guidance_scale=arguments.guidance_scale,
    )
    tile(pictures, prompts).save(arguments.output)
    print(arguments.output)


if __name__ == "__main__":
    main()
