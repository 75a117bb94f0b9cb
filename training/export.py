"""Write a run as a diffusers pipeline: `python -m training.export cpu [--to FOLDER]`.

Every component can be loaded by hand from its own subfolder, in fp16 safetensors. All are written
aside and then moved over the old ones, one by one; model_index.json is away meanwhile, so that a
folder that has one holds a single model's files.
"""

from __future__ import annotations

import argparse
import copy
import json
import shutil
import tempfile
from pathlib import Path

import diffusers
import numpy as np
import torch
from diffusers import AutoencoderKL, UniPCMultistepScheduler
from transformers import CLIPTokenizer

from training.config import DATA, RECIPES, RUNS, Recipe
from training.diffusion import load_trained_model
from training.latents import balanced, load_latents
from training.model import Model, build_model
from training.pictures import BACKGROUNDS, Things, load_things
from training.schedule import scheduler_config
from training.text_encoder import with_whole_vocabulary
from training.vae import load_trained_vae
from training.words import nouns, words_for

POCKET = Path(__file__).parents[1] / "sdtui" / "models" / "pocket"

INDEX = "model_index.json"

#: What model_index.json names, in the order of the lesson.
PIPELINE = {
    "tokenizer": ("transformers", "CLIPTokenizer"),
    "text_encoder": ("transformers", "CLIPTextModel"),
    "unet": ("diffusers", "UNet2DConditionModel"),
    "vae": ("diffusers", "AutoencoderKL"),
    "scheduler": ("diffusers", "UniPCMultistepScheduler"),
    "safety_checker": (None, None),
    "feature_extractor": (None, None),
    "image_encoder": (None, None),
}

#: Prompts that suit every model, and those that suit one with several styles and places.
EXAMPLES = (
    "a red apple",
    "a fox on a blue background",
    "a 3d icon of a penguin on a yellow background",
    "a hamburger on a purple background",
    "a rocket on a black background",
    "a cactus, pink background",
    "an octopus on a white background",
    "a pineapple on a green background",
)
STYLED_EXAMPLES = (
    "a red apple",
    "a fox on a blue background",
    "a flat penguin on a yellow background",
    "a cartoon rocket on a black background",
    "a hamburger on a purple background",
    "a flat strawberry",
    "a cartoon octopus, pink background",
    "a small balloon in the top left corner on a blue background",
    "a 3d icon of a pineapple on a green background",
)


def write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def replace_files(source: Path, target: Path) -> None:
    """Move every file of `source` over its namesake in `target`, one atomic move each.

    model_index.json leaves first and arrives last. What has no namesake stays: a card, licences.
    """
    (target / INDEX).unlink(missing_ok=True)
    for path in sorted(source.rglob("*"), key=lambda path: (path.name == INDEX, path)):
        if path.is_file():
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            path.chmod(0o644)
            path.replace(place)


def export_pipeline(
    model: Model,
    vae: AutoencoderKL,
    recipe: Recipe,
    things: Things,
    target: Path,
    data: Path,
) -> None:
    """Write tokenizer, text encoder, UNet, VAE and scheduler under `target`.

    `data` is what training.prepare wrote: it knows what words mean that no caption used.
    """
    with np.load(data / "word_vectors.npz") as arrays:
        vectors = arrays["vectors"]
    text_encoder = with_whole_vocabulary(
        model.text_encoder,
        recipe.diffusion,
        model.vocabulary,
        model.table,
        vectors,
        nouns(words_for(things, recipe.tags, recipe.seed).spoken),
    )
    target.mkdir(parents=True, exist_ok=True)
    aside = f".export-{target.name}-"
    for left_over in target.parent.glob(f"{aside}*"):
        shutil.rmtree(left_over)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=aside) as name:
        folder = Path(name)
        CLIPTokenizer.from_pretrained(data / "tokenizer").save_pretrained(folder / "tokenizer")
        text_encoder.half().save_pretrained(folder / "text_encoder")
        for part, network in (("unet", model.unet), ("vae", vae)):
            halved = copy.deepcopy(network).to(memory_format=torch.contiguous_format).half()
            halved.save_pretrained(folder / part, safe_serialization=True)
        UniPCMultistepScheduler.from_config(scheduler_config()).save_pretrained(
            folder / "scheduler"
        )
        index = {
            "_class_name": "StableDiffusionPipeline",
            "_diffusers_version": diffusers.__version__,
            **{part: list(classes) for part, classes in PIPELINE.items()},
            "requires_safety_checker": False,
        }
        write_json(folder / INDEX, index)
        write_json(
            folder / "things.json",
            {
                "things": sorted(things.names, key=str.lower),
                "styles": list(recipe.styles),
                "places": list(recipe.places),
                "backgrounds": list(BACKGROUNDS),
                "examples": list(STYLED_EXAMPLES if len(recipe.styles) > 1 else EXAMPLES),
            },
        )
        replace_files(folder, target)


def export_run(things: Things, recipe: Recipe, run: Path, target: Path, data: Path = DATA) -> None:
    """Write the averaged weights in `run` as a pipeline under `target`."""
    size = things.pictures.shape[-1]
    model, facts = load_trained_model(build_model(things, recipe, data, size // 8), recipe, run)
    vae = balanced(load_trained_vae(recipe, run, size), load_latents(run / "latents.pt"))
    export_pipeline(model, vae, recipe, things, target, data)
    print(f"{target}: step {facts['step']}, {facts['spent']:.0f} minutes of training", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", choices=sorted(RECIPES))
    parser.add_argument("--to", type=Path, default=POCKET, help="the pipeline's folder")
    arguments = parser.parse_args()
    recipe, run = RECIPES[arguments.recipe], RUNS / arguments.recipe
    things = load_things(DATA / "pictures.npz", recipe)
    export_run(things, recipe, run, arguments.to)


if __name__ == "__main__":
    main()
