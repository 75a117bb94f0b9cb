"""Train a recipe: `python -m training.train cpu [--resume] [--only PART]`."""

from __future__ import annotations

import argparse

from training.batches import Batches
from training.config import DATA, RECIPES, RUNS
from training.device import set_up
from training.diffusion import train_diffusion
from training.latents import encode_run, latents_to_train
from training.model import build_model
from training.parallel import rank, wait_for_all
from training.pictures import load_things
from training.text_training import train_text
from training.vae import train_vae

PARTS = ("vae", "latents", "text", "diffusion")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", choices=sorted(RECIPES))
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--only", choices=PARTS, help="do one part alone")
    arguments = parser.parse_args()
    recipe = RECIPES[arguments.recipe]
    run = RUNS / recipe.name
    parts = PARTS if arguments.only is None else (arguments.only,)
    set_up(recipe)
    things = load_things(DATA / "pictures.npz", recipe)
    if "vae" in parts:
        train_vae(things, recipe, run, arguments.resume)
    if "latents" in parts and rank() == 0:
        encode_run(things, recipe, run)
    wait_for_all()
    if "text" in parts or "diffusion" in parts:
        latents = latents_to_train(things, recipe, run)
        model = build_model(things, recipe)
        batches = Batches(things, latents, model, recipe)
        if "text" in parts:
            train_text(latents, model, batches, recipe, run)
            wait_for_all()
        if "diffusion" in parts:
            train_diffusion(model, batches, recipe, run, arguments.resume)


if __name__ == "__main__":
    main()
