"""A picture of many pictures: `python -m training.contact_sheet [--model FOLDER] [-o FILE]`.

The prompts and seeds are fixed here, so that two models can be compared side by side; half of
the thing and background pairs in them are ones that training never saw.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw

from training.captions import held_out_pairs, indefinite
from training.config import DATA
from training.export import POCKET
from training.pictures import BACKGROUNDS, load_things
from training.sampling import draw, load_pipeline

PICKED = (
    "a red apple",
    "a fox",
    "a cat",
    "a dog",
    "a rocket on a black background",
    "a penguin on a blue background",
    "a hamburger",
    "a cactus on a pink background",
)
COLUMNS, ROWS, LABEL_HEIGHT = 8, 8, 14


def fixed_prompts(names: Sequence[str], held_out: float, seed: int) -> list[str]:
    """64 prompts: eight that people try first, and 56 held-out pairs."""
    places = tuple(BACKGROUNDS)
    pairs = sorted(held_out_pairs(len(names), places, held_out, seed))
    chosen = random.Random(1).sample(pairs, COLUMNS * ROWS - len(PICKED))
    return [
        *PICKED,
        *(f"{indefinite(names[t])} on {indefinite(places[p])} background" for t, p in chosen),
    ]


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
        short = label.removesuffix(" background").replace(" on an ", " / ").replace(" on a ", " / ")
        pen.text((left + 2, top + height), short[:22], fill="black")
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=POCKET)
    parser.add_argument("-o", "--output", type=Path, default=Path("contact_sheet.png"))
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--guidance-scale", type=float, default=5.0)
    parser.add_argument("--prompts", nargs="*", help="prompts instead of the fixed ones")
    arguments = parser.parse_args()
    things = load_things(DATA / "pictures.npz")
    prompts = arguments.prompts or fixed_prompts(things.names, held_out=0.1, seed=0)
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
