"""All of a recipe in one go: `python -m training.run h100 [--to FOLDER] [--minutes N] [--pieces]`.

Trains the autoencoder, encodes the latents, trains the text encoder and then the UNet, exports,
draws the contact sheet and scores. What training/runs/NAME/ holds already is not done again, so the
same command goes on with a run that `--minutes` or anything else stopped. Remove that folder to
begin anew.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from training.batches import Batches
from training.checkpoint import load_checkpoint, save_checkpoint, slim
from training.config import DATA, RECIPES, RUNS, Recipe
from training.contact_sheet import tile
from training.device import set_up
from training.diffusion import train_diffusion
from training.evaluate import evaluate
from training.export import export_run
from training.latents import encode_run, latents_to_train
from training.model import build_model
from training.pictures import Things, load_things
from training.pieces import cut
from training.questions import sheet_questions
from training.sampling import draw, load_pipeline
from training.text_training import train_text
from training.vae import train_vae

#: Checkpoints that have a budget, and what each calls its weights.
BUDGETED = {"vae.pt": "vae", "diffusion.pt": "networks"}
#: Minutes that drawing and scoring are given when the time is limited.
SCORING_MINUTES = 3.0


def is_spent(path: Path, minutes: float) -> bool:
    """Whether a checkpoint's budget is spent."""
    state = load_checkpoint(path)
    return state is not None and state["spent"] >= minutes


def train(things: Things, recipe: Recipe, run: Path, data: Path, until: float | None) -> bool:
    """Train what is left to train; whether all of it is done by then."""
    if not is_spent(run / "vae.pt", recipe.vae.minutes):
        train_vae(things, recipe, run, resume=True, until=until)
    if not is_spent(run / "vae.pt", recipe.vae.minutes):
        return False
    if not is_up_to_date(run / "latents.pt", run / "vae.pt"):
        encode_run(things, recipe, run)
        report("latents")
    if is_spent(run / "diffusion.pt", recipe.diffusion.minutes):
        return True
    latents = latents_to_train(things, recipe, run)
    model = build_model(things, recipe, data, latents.shape[-1])
    batches = Batches(things, latents, model, recipe)
    if not (run / "text.pt").exists():
        train_text(latents, model, batches, recipe, run)
        report("text encoder")
    train_diffusion(model, batches, recipe, run, resume=True, until=until)
    return is_spent(run / "diffusion.pt", recipe.diffusion.minutes)


def is_up_to_date(path: Path, source: Path) -> bool:
    """Whether a file was written after the one that it was made from."""
    return path.exists() and path.stat().st_mtime_ns >= source.stat().st_mtime_ns


def report(done: str) -> None:
    """Say what is done, and when."""
    print(f"{time.strftime('%H:%M:%S')} {done}", flush=True)


def cut_checkpoints(run: Path, target: Path) -> None:
    """Write what a run needs to go on elsewhere, in pieces."""
    with tempfile.TemporaryDirectory() as name:
        for file, weights in BUDGETED.items():
            state = load_checkpoint(run / file)
            if state is not None:
                save_checkpoint(Path(name) / file, slim(state, weights))
        text = load_checkpoint(run / "text.pt")
        if text is not None:
            halved = {key: weight.half() for key, weight in text["text_encoder"].items()}
            save_checkpoint(Path(name) / "text.pt", {"text_encoder": halved})
        cut(Path(name), target)


def draw_and_score(things: Things, recipe: Recipe, run: Path, model: Path, target: Path) -> None:
    """Write contact_sheet.png and scores.md of an exported model."""
    pipeline = load_pipeline(model).to(recipe.device)
    prompts = [question.prompt for question in sheet_questions(things, recipe)]
    tile(draw(pipeline, prompts), prompts).save(target / "contact_sheet.png")
    report("contact sheet")
    lines = evaluate(pipeline, things.to(recipe.device), recipe, run)
    (target / "scores.md").write_text("\n".join([*lines, ""]))
    report("scores")


def run_recipe(
    recipe: Recipe,
    *,
    run: Path,
    target: Path,
    data: Path = DATA,
    minutes: float | None = None,
    in_pieces: bool = False,
) -> bool:
    """Do what is left of a recipe; whether it is finished."""
    until = None if minutes is None else time.monotonic() + 60 * minutes
    target.mkdir(parents=True, exist_ok=True)
    things = load_things(data / "pictures.npz", recipe)
    report(f"{len(things.names)} things in {len(things.drawn)} pictures")
    if not train(things, recipe, run, data, until):
        if in_pieces:
            cut_checkpoints(run, target)
        report("out of time: the same command goes on")
        return False
    model = run / "model" if in_pieces else target / "model"
    export_run(things, recipe, run, model, data)
    if in_pieces:
        cut(model, target)
    if until is not None and time.monotonic() + 60 * SCORING_MINUTES > until:
        report("trained and exported, but out of time to score: the same command does that")
        return False
    draw_and_score(things, recipe, run, model, target)
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", choices=sorted(RECIPES))
    parser.add_argument("--to", type=Path, help="where results go; the run's folder by default")
    parser.add_argument("--data", type=Path, default=DATA, help="what prepare or travel wrote")
    parser.add_argument("--minutes", type=float, help="stop by then, with checkpoints")
    parser.add_argument("--pieces", action="store_true", help="results in files below 16 MiB")
    arguments = parser.parse_args()
    recipe = RECIPES[arguments.recipe]
    set_up(recipe)
    run_recipe(
        recipe,
        run=RUNS / recipe.name,
        target=arguments.to or RUNS / recipe.name,
        data=arguments.data,
        minutes=arguments.minutes,
        in_pieces=arguments.pieces,
    )


if __name__ == "__main__":
    main()
