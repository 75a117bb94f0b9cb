"""What an exported model knows, by its things.json, and which recipe it is of."""

from __future__ import annotations

import json
from pathlib import Path

from training.config import DATA, RECIPES, Recipe
from training.pictures import thing_names


def read_known(folder: Path) -> dict[str, list[str]]:
    """The things, styles and places, among others, that the model in `folder` knows."""
    known: dict[str, list[str]] = json.loads((folder / "things.json").read_text(encoding="utf-8"))
    return known


def recipe_of(folder: Path, data: Path = DATA) -> Recipe:
    """The first recipe that has the things, styles and places of the model in `folder`.

    Raises ValueError where none has: its questions and its classifier would be another model's.
    """
    known, pictures = read_known(folder), data / "pictures.npz"
    for recipe in RECIPES.values():
        is_known = sorted(known["things"]) == sorted(thing_names(pictures, recipe))
        if is_known and (known["styles"], known["places"]) == (
            list(recipe.styles),
            list(recipe.places),
        ):
            return recipe
    counts = [f"{name} {len(thing_names(pictures, recipe))}" for name, recipe in RECIPES.items()]
    raise ValueError(
        f"{folder} knows {len(known['things'])} things in {len(known['styles'])} styles and "
        f"{len(known['places'])} places, which are no recipe's ({', '.join(counts)} things): "
        "export a recipe, or name another model with --model"
    )
