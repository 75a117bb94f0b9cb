"""Begin a run from exported weights: `python -m training.warm_start NAME [--model FOLDER]`.

Writes the checkpoints that a run of the same sizes would have left, less its optimizers' moments,
in place of what the run's folder holds, so that `python -m training.train NAME --resume --only
diffusion` trains what is exported further. The weights have to know what the recipe begins from: as
many things as its `stages` end with, or all of its own where it has none. It may have more styles
and places.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel

from training.captions import caption_words
from training.checkpoint import save_checkpoint
from training.config import DATA, RECIPES, RUNS, Recipe
from training.ema import MovingAverage
from training.export import POCKET
from training.known import read_known
from training.latents import encode_things, save_latents
from training.model import Model, build_model
from training.pictures import Things, load_things
from training.text_encoder import TOKEN_STD, Vocabulary
from training.words import words_for


def new_tokens(model: Model, things: Things, recipe: Recipe) -> torch.Tensor:
    """Which rows of the renumbered tokens the captions of the known things never use, (tokens,)."""
    if not recipe.known:
        return torch.zeros(len(model.vocabulary.token_ids), dtype=torch.bool)
    spoken = words_for(things, recipe.tags, recipe.seed).spoken[: recipe.known]
    texts = caption_words(spoken, recipe.styles, recipe.places)
    known = Vocabulary(model.vocabulary.tokenizer, ["", *texts])
    return ~torch.isin(model.vocabulary.token_ids, known.token_ids)


def take_weights(model: Model, folder: Path, new: torch.Tensor) -> None:
    """Fill `model` with a pipeline's UNet, text encoder and whole token table.

    The pipeline has many a word that is `new` to the captions, (tokens,), at another's row: noise
    parts them, as two words at one row are one to the UNet.
    """
    unet = UNet2DConditionModel.from_pretrained(folder / "unet")
    model.unet.load_state_dict(unet.state_dict())
    weights = CLIPTextModel.from_pretrained(folder / "text_encoder").float().state_dict()
    model.table = weights["embeddings.token_embedding.weight"].clone()
    rows = model.table[model.vocabulary.token_ids]
    rows = torch.where(new[:, None], rows + TOKEN_STD * torch.randn_like(rows), rows)
    weights["embeddings.token_embedding.weight"] = rows
    model.text_encoder.load_state_dict(weights)


def check_stages(things: Things, recipe: Recipe, folder: Path) -> None:
    """Refuse weights that do not know what the recipe begins from.

    Which combinations are held out follows the stages: others would be trained on, or have been.
    """
    known, count = read_known(folder)["things"], recipe.known or len(things.names)
    if set(known) != set(things.names[:count]):
        raise ValueError(
            f"{folder} knows {len(known)} things, which are not the first {count} that "
            f"{recipe.name} begins from: what was held out would not stay so. Take another "
            f"--model, or let the recipe's stages (training/config.py) be how many things the runs "
            f"had that led to these weights: {len(known)} last"
        )


def warm_start(model: Model, things: Things, recipe: Recipe, run: Path, folder: Path) -> None:
    """Write run/vae.pt, latents.pt and diffusion.pt from the pipeline in `folder`.

    What the run has of these goes first, with its text encoder: to be stopped halfway leaves no
    network beside the autoencoder of another.
    """
    check_stages(things, recipe, folder)
    for name in ("diffusion.pt", "text.pt", "latents.pt"):
        (run / name).unlink(missing_ok=True)
    vae = AutoencoderKL.from_pretrained(folder / "vae").eval()
    average = MovingAverage(vae, recipe.vae.ema_decay)
    save_checkpoint(
        run / "vae.pt",
        {"vae": vae.state_dict(), "average": average.state_dict(), "spent": 0.0, "step": 0},
    )
    save_latents(run / "latents.pt", encode_things(vae, things, recipe))
    take_weights(model, folder, new_tokens(model, things, recipe))
    networks = model.networks()
    save_checkpoint(
        run / "diffusion.pt",
        {
            "networks": networks.state_dict(),
            "average": MovingAverage(networks, recipe.diffusion.ema_decay).state_dict(),
            "table": model.table,
            "spent": 0.0,
            "step": 0,
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", choices=sorted(RECIPES))
    parser.add_argument("--model", type=Path, default=POCKET, help="the pipeline's folder")
    arguments = parser.parse_args()
    recipe = RECIPES[arguments.recipe]
    things = load_things(DATA / "pictures.npz", recipe)
    torch.manual_seed(recipe.seed)
    model = build_model(things, recipe)
    warm_start(model, things, recipe, RUNS / recipe.name, arguments.model)
    print(f"{RUNS / recipe.name}: begins from {arguments.model}")


if __name__ == "__main__":
    main()
