"""Train a recipe: `python -m training.train cpu [--resume] [--only vae|latents|diffusion]`."""

from __future__ import annotations

import argparse

from training.config import DATA, RECIPES, RUNS
from training.device import set_up
from training.diffusion import build_model, train_diffusion
from training.latents import encode_things, load_latents, save_latents
from training.parallel import rank, wait_for_all
from training.pictures import load_things
from training.vae import load_trained_vae, train_vae

PARTS = ("vae", "latents", "diffusion")


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
    things = load_things(DATA / "pictures.npz")
    if "vae" in parts:
        train_vae(things, recipe, run, arguments.resume)
    if "latents" in parts and rank() == 0:
        vae = load_trained_vae(recipe, run).to(recipe.device)
        save_latents(run / "latents.pt", encode_things(vae, things))
    wait_for_all()
    if "diffusion" in parts:
        encoded = load_latents(run / "latents.pt")
        model = build_model(things, recipe)
        train_diffusion(things, encoded.latents, model, recipe, run, arguments.resume)


if __name__ == "__main__":
    main()
