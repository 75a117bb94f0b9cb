"""A model is asked what its own recipe asks, and begins a run that knows what it does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from training.config import RECIPES, Recipe
from training.export import replace_files
from training.known import recipe_of
from training.pictures import Things, load_things
from training.warm_start import check_stages, warm_start

TOY = RECIPES["toy"]


def model_of(folder: Path, names: tuple[str, ...], recipe: Recipe) -> Path:
    """What an exported model says that it knows."""
    known = {"things": names, "styles": recipe.styles, "places": recipe.places}
    (folder / "things.json").write_text(json.dumps(known))
    return folder


@pytest.mark.parametrize("name", ["toy", "cpu", "cpu-styles", "h100"])
def test_a_model_is_of_the_recipe_that_has_its_things_styles_and_places(
    data: Path, tmp_path: Path, name: str
) -> None:
    names = load_things(data / "pictures.npz", RECIPES[name]).names
    folder = model_of(tmp_path, names[::-1], RECIPES[name])
    assert recipe_of(folder, data).name == name


def test_a_model_of_no_recipe_is_refused(data: Path, tmp_path: Path) -> None:
    folder = model_of(tmp_path, ("fox", "cat"), TOY)
    with pytest.raises(ValueError, match=r"knows 2 things in 3 styles .*toy 4, .*h100 5 things"):
        recipe_of(folder, data)


def things_named(*names: str) -> Things:
    pictures = torch.zeros(len(names), 4, 64, 64, dtype=torch.uint8)
    return Things(pictures, names, tuple((row, "3d") for row in range(len(names))))


def test_a_run_begins_from_weights_that_know_the_last_of_its_stages_or_all(tmp_path: Path) -> None:
    model_of(tmp_path, ("cat", "fox"), TOY)
    check_stages(things_named("fox", "cat"), TOY, tmp_path)
    check_stages(things_named("fox", "cat", "dog"), replace(TOY, stages=(1, 2)), tmp_path)
    with pytest.raises(ValueError, match="knows 2 things, which are not the first 3 that toy"):
        check_stages(things_named("fox", "cat", "dog"), TOY, tmp_path)
    with pytest.raises(ValueError, match="--model"):
        check_stages(things_named("fox", "dog", "cat"), replace(TOY, stages=(2,)), tmp_path)


def test_a_run_that_is_not_begun_to_its_end_has_nothing_of_an_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    folder, run, earlier = model_of(tmp_path, ("fox",), TOY), tmp_path / "run", {"vae.pt"}
    run.mkdir()
    for name in (*earlier, "latents.pt", "text.pt", "diffusion.pt"):
        (run / name).touch()
    monkeypatch.setattr("training.warm_start.AutoencoderKL.from_pretrained", killed)
    with pytest.raises(KeyboardInterrupt):
        warm_start(None, things_named("fox"), TOY, run, folder)  # type: ignore[arg-type]
    assert {path.name for path in run.iterdir()} == earlier


def test_a_folder_with_an_index_holds_one_models_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = source, target = tmp_path / "source", tmp_path / "target"
    for folder in folders:
        (folder / "unet").mkdir(parents=True)
        for name in ("model_index.json", "things.json", "unet/weights"):
            (folder / name).write_text(folder.name)
    (target / "LICENSES.txt").write_text("kept")
    replace, moved = Path.replace, []

    def killed_at_the_second(self: Path, to: Path) -> Path:
        if moved:
            raise KeyboardInterrupt
        moved.append(self)
        return replace(self, to)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", killed_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            replace_files(source, target)
    assert not (target / "model_index.json").exists()
    replace_files(source, target)
    assert (target / "model_index.json").read_text() == "source"
    assert (target / "LICENSES.txt").read_text() == "kept"
