"""What a run's folder holds counts for the things, styles, places and pictures it was made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from training.checkpoint import load_checkpoint, save_checkpoint
from training.classifier import train_classifier
from training.config import RECIPES
from training.latents import EncodedThings, latents_to_train, load_latents, save_latents
from training.pictures import Things, fingerprint

TOY = RECIPES["toy"]
PICTURES = torch.arange(4 * 4 * 8 * 8, dtype=torch.uint8).view(4, 4, 8, 8)
THINGS = Things(PICTURES, ("fox", "cat"), ((0, "3d"), (1, "3d"), (0, "flat"), (1, "flat")))
OTHERS = {
    "names": replace(THINGS, names=("fox", "dog")),
    "styles": replace(THINGS, drawn=((0, "3d"), (1, "3d"), (0, "flat"), (1, "cartoon"))),
    "order": replace(THINGS, drawn=((0, "3d"), (0, "flat"), (1, "3d"), (1, "flat"))),
    "pictures": replace(THINGS, pictures=PICTURES.flip(-1)),
}


def keep_latents(run: Path) -> None:
    """Leave latents of the things in the recipe's places."""
    latents, spread = torch.ones(12, 10, 4, 1, 1), torch.ones(4)
    views = fingerprint(THINGS, TOY.places)
    save_latents(run / "latents.pt", EncodedThings(latents, 0 * spread, spread, views))


@pytest.mark.parametrize("what", OTHERS)
def test_latents_of_other_views_are_not_trained_on(tmp_path: Path, what: str) -> None:
    keep_latents(tmp_path)
    assert latents_to_train(THINGS, TOY, tmp_path).shape == (12, 10, 4, 1, 1)
    with pytest.raises(ValueError, match="train toy --only latents"):
        latents_to_train(OTHERS[what], TOY, tmp_path)


def test_latents_in_other_places_are_not_trained_on(tmp_path: Path) -> None:
    keep_latents(tmp_path)
    with pytest.raises(ValueError, match="places"):
        latents_to_train(THINGS, replace(TOY, places=TOY.places[::-1]), tmp_path)


def test_latents_that_do_not_say_their_views_are_read_and_not_trained_on(tmp_path: Path) -> None:
    keep_latents(tmp_path)
    path = tmp_path / "latents.pt"
    state = load_checkpoint(path)
    assert state is not None
    del state["views"]
    save_checkpoint(path, state)
    assert load_latents(path).scaling_factor == 1
    with pytest.raises(ValueError, match="latents"):
        latents_to_train(THINGS, TOY, tmp_path)


@pytest.mark.parametrize("what", [*OTHERS, "recipe"])
def test_a_judge_of_other_things_or_another_shape_is_trained_anew(
    tmp_path: Path, what: str
) -> None:
    path = tmp_path / "classifier.pt"
    train_classifier(THINGS, TOY, path)
    written = path.stat().st_mtime_ns
    train_classifier(THINGS, TOY, path)
    assert path.stat().st_mtime_ns == written
    settings = replace(TOY.classifier, channels=(8, 8, 8, 16)) if what == "recipe" else None
    recipe = TOY if settings is None else replace(TOY, classifier=settings)
    train_classifier(OTHERS.get(what, THINGS), recipe, path)
    assert path.stat().st_mtime_ns > written
