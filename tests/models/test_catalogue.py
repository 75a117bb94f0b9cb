"""Which models there are to choose from."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from sdtui import paths
from sdtui.errors import ModelError
from sdtui.models import catalogue
from sdtui.params import GenerationParams


@pytest.fixture(autouse=True)
def empty_hub_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    cache = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    return cache


def put_model(folder: Path, sample_size: int = 96) -> Path:
    """As much of a model as the catalogue looks at."""
    for name, content in {
        "model_index.json": {"_class_name": "StableDiffusionPipeline"},
        "unet/config.json": {"sample_size": sample_size},
        "vae/config.json": {"block_out_channels": [1, 1, 1, 1]},
        "tokenizer/vocab.json": {},
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    return folder


def test_the_bundled_model_comes_first_and_then_stable_diffusion() -> None:
    names = [entry.name for entry in catalogue.entries()]

    assert names == ["pocket", "stable-diffusion-v1-5/stable-diffusion-v1-5"]


def test_folders_in_the_models_folder_follow_by_name() -> None:
    put_model(paths.models_dir() / "zebra")
    put_model(paths.models_dir() / "aardvark", sample_size=32)
    (paths.models_dir() / "no-model").mkdir()

    entries = catalogue.entries()[2:]

    assert [entry.name for entry in entries] == ["aardvark", "zebra"]
    assert (entries[0].native_width, entries[0].native_height) == (256, 256)


def test_a_folder_is_found_from_other_folders_by_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = put_model(tmp_path / "mine")
    put_model(paths.models_dir() / "own")
    monkeypatch.chdir(tmp_path)

    assert catalogue.from_anywhere("./mine") == str(mine)
    for kept in ("pocket", "own", "someone/hub-model", "./nothing", "~nobody-of-that-name/x"):
        assert catalogue.from_anywhere(kept) == kept


def test_every_entry_can_be_located() -> None:
    folder = put_model(paths.models_dir() / "zebra")

    located = [catalogue.locate(entry.name) for entry in catalogue.entries()]

    assert located[0] == Path(catalogue.__file__).parent / "pocket"
    assert located[1] == "stable-diffusion-v1-5/stable-diffusion-v1-5"
    assert located[2] == folder


def test_a_folder_anywhere_can_be_located(tmp_path: Path) -> None:
    folder = put_model(tmp_path / "mine")

    assert catalogue.locate(str(folder)) == folder


def test_the_old_address_of_stable_diffusion_is_mapped_and_said() -> None:
    moved = "runwayml/stable-diffusion-v1-5"

    assert catalogue.locate(moved) == "stable-diffusion-v1-5/stable-diffusion-v1-5"
    assert "gone from the hub" in (catalogue.moved_note(moved) or "")
    assert catalogue.moved_note("pocket") is None


@pytest.mark.parametrize(
    "name",
    [
        "no-such-model",
        "a/b/c",
        "https://hub/a/b",
        "one/two three",
        "/nowhere",
        "some--one/model",
        "someone/model-",
        "someone/model.git",
        "~nobody-of-this-name/model",
        "x" * 5_000,
        "nul\0nul",
    ],
)
def test_anything_else_is_refused_with_the_known_names(name: str) -> None:
    with pytest.raises(ModelError) as caught:
        catalogue.locate(name)

    assert "pocket" in caught.value.remedy
    assert catalogue.native_size(name) == (512, 512)
    assert catalogue.tokenizer_folder(name) is None


def test_a_single_file_is_refused_with_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.touch()

    with pytest.raises(ModelError, match="is a file"):
        catalogue.locate(str(file))


def test_a_single_pickle_is_refused_with_its_danger(tmp_path: Path) -> None:
    file = tmp_path / "v1-5-pruned.ckpt"
    file.touch()

    with pytest.raises(ModelError, match="may run any program"):
        catalogue.locate(str(file))


def test_escape_sequences_in_a_name_are_shown_harmlessly() -> None:
    with pytest.raises(ModelError) as caught:
        catalogue.locate("\x1b]52;c;evil\x07")

    assert "\x1b" not in str(caught.value)


def test_each_model_starts_with_the_guidance_that_suits_it() -> None:
    assert catalogue.native_guidance("pocket") == GenerationParams(prompt="fox").guidance_scale
    assert catalogue.native_guidance("stable-diffusion-v1-5/stable-diffusion-v1-5") == 7.5


def test_the_native_size_is_the_unets_times_the_vaes_factor(tmp_path: Path) -> None:
    assert catalogue.native_size("pocket") == (128, 128)
    assert catalogue.native_size(str(put_model(tmp_path / "mine"))) == (768, 768)


def test_a_model_that_is_not_at_hand_is_taken_for_512() -> None:
    assert catalogue.native_size("stable-diffusion-v1-5/stable-diffusion-v1-5") == (512, 512)


@pytest.mark.parametrize(
    ("sample_size", "blocks", "size"),
    [
        ([32, 64], [1, 1, 1, 1], (512, 256)),
        (64, [1, 1, 1], (256, 256)),
        ("64", [1, 1, 1, 1], (512, 512)),
        (64.5, [1, 1, 1, 1], (512, 512)),
        ([1, 2, 3], [1, 1, 1, 1], (512, 512)),
        (96, 4, (512, 512)),
        (96, [], (512, 512)),
        (None, None, (512, 512)),
    ],
)
def test_a_size_is_taken_from_a_configuration_that_tells_one(
    tmp_path: Path, sample_size: object, blocks: object, size: tuple[int, int]
) -> None:
    folder = put_model(tmp_path / "mine")
    (folder / "unet" / "config.json").write_text(json.dumps({"sample_size": sample_size}))
    (folder / "vae" / "config.json").write_text(json.dumps({"block_out_channels": blocks}))

    assert catalogue.native_size(str(folder)) == size


@pytest.mark.parametrize(
    ("version", "sample_size", "side"),
    [
        ("0.2.2", 32, 512),
        ("0.8.1", 32, 512),
        ("0.7.0.dev0", 96, 768),
        ("0.9.0", 32, 256),
        ("0.10.2", 32, 256),
        ("1.0.0", 32, 256),
        (8, 32, 256),
        (None, 32, 256),
    ],
)
def test_an_early_export_of_stable_diffusion_is_taken_for_what_it_is(
    tmp_path: Path, version: object, sample_size: int, side: int
) -> None:
    folder = put_model(tmp_path / "mine")
    unet = {"_diffusers_version": version, "sample_size": sample_size}
    (folder / "unet" / "config.json").write_text(json.dumps(unet))

    assert catalogue.native_size(str(folder)) == (side, side)


def test_the_hubs_cache_is_looked_into(empty_hub_cache: Path) -> None:
    storage = empty_hub_cache / "models--someone--model"
    (storage / "refs").mkdir(parents=True)
    (storage / "refs" / "main").write_text("c0ffee")
    snapshot = put_model(storage / "snapshots" / "c0ffee", sample_size=48)

    assert catalogue.native_size("someone/model") == (384, 384)
    assert catalogue.tokenizer_folder("someone/model") == snapshot / "tokenizer"


def test_the_bundled_tokenizer_counts_without_torch() -> None:
    folder = catalogue.tokenizer_folder("pocket")

    assert folder is not None
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert tokenizer.encode("a photo of a cat").ids == [49406, 320, 1125, 539, 320, 2368, 49407]


def test_a_model_that_is_not_at_hand_has_no_tokenizer_yet() -> None:
    assert catalogue.tokenizer_folder("someone/else") is None


def test_the_bundled_model_has_examples_and_others_have_none(tmp_path: Path) -> None:
    assert all(prompt.strip() for prompt in catalogue.example_prompts("pocket"))
    assert len(catalogue.example_prompts("pocket")) >= 3
    folder = put_model(tmp_path / "mine")
    assert catalogue.example_prompts(str(folder)) == []
    for examples in (5, [{"a": 1}, 2]):
        (folder / "things.json").write_text(json.dumps({"examples": examples}))
        assert catalogue.example_prompts(str(folder)) == []


def test_the_catalogue_needs_no_torch() -> None:
    script = (
        "import sys; from sdtui.models import catalogue; catalogue.entries(); "
        "sys.exit('torch' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
