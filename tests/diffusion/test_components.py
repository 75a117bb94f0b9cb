"""Models load part by part, and damaged ones are refused with the file's name."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from sdtui.diffusion.components import ComponentEnd, ComponentStart, LoadedComponents, load
from sdtui.diffusion.layout import check_safetensors
from sdtui.errors import ModelError
from tests.diffusion.damages import DAMAGES, UNET, change_json, copy_of_the_model, rewrite


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A copy of the bundled model, to be damaged."""
    return copy_of_the_model(tmp_path / "model")


def refusal(folder: Path | str, **options: str) -> ModelError:
    with pytest.raises(ModelError) as caught:
        load(str(folder), **options)
    assert caught.value.remedy
    return caught.value


def test_loading_tells_each_component_before_and_after(model: Path) -> None:
    progress: list[Any] = []

    loaded = load(str(model), device="cpu", on_progress=progress.append)

    starts, ends = progress[::2], progress[1::2]
    names = ["tokenizer", "text_encoder", "unet", "vae", "scheduler"]
    assert [start.component for start in starts] == [end.component for end in ends] == names
    assert [start.index for start in starts] == [0, 1, 2, 3, 4]
    assert all(isinstance(start, ComponentStart) for start in starts)
    assert all(isinstance(end, ComponentEnd) and end.count == 5 for end in ends)
    classes = ["CLIPTokenizer", "CLIPTextModel", "UNet2DConditionModel", "AutoencoderKL"]
    assert [end.class_name for end in ends[:4]] == classes
    assert sum(end.parameters for end in ends) == loaded.parameters > 1_000_000
    assert sum(end.size for end in ends) == loaded.size == 4 * loaded.parameters


def test_the_cpu_computes_in_float32(components: LoadedComponents) -> None:
    loaded = load("pocket", device="cpu", dtype="auto")

    assert loaded.dtype == torch.float32
    assert loaded.device == torch.device("cpu")
    assert loaded.device_name.startswith("CPU")


def test_every_part_takes_the_precision_that_is_asked_for() -> None:
    loaded = load("pocket", device="cpu", dtype="bfloat16")

    parts = (loaded.text_encoder, loaded.unet, loaded.vae)
    assert {part.dtype for part in parts} == {torch.bfloat16}
    assert loaded.size == 2 * loaded.parameters


def test_the_fp16_variant_is_read_for_half_precision(model: Path) -> None:
    full = model / "unet" / "diffusion_pytorch_model.safetensors"
    weights = safetensors.torch.load_file(full)
    half = {name: (weight * 0).half() for name, weight in weights.items()}
    safetensors.torch.save_file(
        half, full.with_name("diffusion_pytorch_model.fp16.safetensors"), {"format": "pt"}
    )

    in_half = load(str(model), device="cpu", dtype="float16")
    in_full = load(str(model), device="cpu", dtype="float32")

    assert not in_half.unet.conv_in.weight.any()
    assert in_full.unet.conv_in.weight.any()


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_model_is_refused_by_what_is_wrong_with_it(model: Path, name: str) -> None:
    damage, said = DAMAGES[name]
    damage(model)

    assert said in refusal(model).message


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    error = refusal(tmp_path)

    assert error.title == "Not a diffusers model"
    assert str(tmp_path) in error.message
    assert "model_index.json" in error.message


@pytest.mark.parametrize(
    "name",
    [
        "tokenizer/tokenizer.json",
        "tokenizer/tokenizer_config.json",
        "text_encoder/config.json",
        "text_encoder/model.safetensors",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
        "scheduler/scheduler_config.json",
    ],
)
def test_a_missing_file_is_named(model: Path, name: str) -> None:
    (model / name).unlink()

    error = refusal(model)

    expected = "tokenizer/vocab.json" if name == "tokenizer/tokenizer.json" else name
    assert expected in error.message


@pytest.mark.parametrize("keep", [0, 7, 100, 1_000_000])
def test_a_truncated_weights_file_is_named_with_its_length(model: Path, keep: int) -> None:
    path = model / "unet" / "diffusion_pytorch_model.safetensors"
    rewrite(path, path.read_bytes()[:keep])

    error = refusal(model)

    assert error.title == "A weights file is damaged"
    assert str(path) in error.message
    assert f"{keep:,} bytes" in error.message
    assert "download" in error.remedy


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content + b"more",
        lambda content: b"\xff" * 8 + content[8:],
        lambda content: content[:8] + b"no JSON at all" + content[22:],
        lambda content: (2).to_bytes(8, "little") + b"[]",
        lambda content: (9).to_bytes(8, "little") + b'{"a": {}}',
        lambda content: (34).to_bytes(8, "little") + b'{"a":{"data_offsets":[0, "many"]}}',
    ],
    ids=["longer", "absurd header", "broken header", "no object", "no offsets", "no numbers"],
)
def test_a_damaged_header_is_noticed(model: Path, damage: Callable[[bytes], bytes]) -> None:
    path = model / "vae" / "diffusion_pytorch_model.safetensors"
    rewrite(path, damage(path.read_bytes()))

    with pytest.raises(ModelError, match="damaged"):
        check_safetensors(path)


def test_pickled_weights_are_refused_with_the_reason(model: Path) -> None:
    path = model / "unet" / "diffusion_pytorch_model.safetensors"
    path.rename(path.with_suffix(".bin"))

    error = refusal(model)

    assert error.title == "Only pickled weights"
    assert "may run any program" in error.message


@pytest.mark.parametrize(
    ("component", "class_name"),
    [
        ("unet", "FluxTransformer2DModel"),
        ("text_encoder", "T5EncoderModel"),
        ("vae", "AutoencoderTiny"),
        ("tokenizer", "../../evil"),
    ],
)
def test_parts_of_another_kind_are_refused(model: Path, component: str, class_name: str) -> None:
    change_json(model / "model_index.json", **{component: ["somewhere", class_name]})

    error = refusal(model)

    assert class_name in error.message
    assert component in error.message


def test_a_part_whose_class_is_no_name_is_refused(model: Path) -> None:
    change_json(model / "model_index.json", unet=["diffusers", ["UNet2DConditionModel"]])

    assert "names nothing as unet" in refusal(model).message


def test_a_model_with_a_second_text_encoder_is_refused(model: Path) -> None:
    second = {"text_encoder_2": ["transformers", "CLIPTextModelWithProjection"]}
    change_json(model / "model_index.json", **second)

    assert "text_encoder_2" in refusal(model).message


def test_a_model_index_that_is_no_json_is_named(model: Path) -> None:
    rewrite(model / "model_index.json", b"<html>")

    assert "model_index.json" in refusal(model).message


def test_weights_that_lack_a_tensor_are_refused_and_not_made_up(model: Path) -> None:
    path = model / "unet" / "diffusion_pytorch_model.safetensors"
    weights = safetensors.torch.load_file(path)
    del weights["conv_in.weight"]
    path.unlink()
    safetensors.torch.save_file(weights, path, {"format": "pt"})

    error = refusal(model)

    assert error.title == "Weights are missing"
    assert "conv_in.weight" in error.message


def test_weights_of_another_shape_are_refused(model: Path) -> None:
    path = model / "vae" / "diffusion_pytorch_model.safetensors"
    weights = safetensors.torch.load_file(path)
    weights["decoder.conv_out.bias"] = torch.zeros(5)
    path.unlink()
    safetensors.torch.save_file(weights, path, {"format": "pt"})

    error = refusal(model)

    assert error.title == "The vae cannot be loaded"
    assert str(model / "vae") in error.message


@pytest.mark.parametrize(
    ("component", "changes", "said"),
    [
        ("unet", {"in_channels": 9}, "takes 9 channels and the VAE has 4 (an inpainting model?)"),
        ("unet", {"in_channels": 8}, "an editing model"),
        ("unet", {"in_channels": 5}, "a depth model"),
        ("unet", {"in_channels": [4]}, "takes [4] channels"),
        ("unet", {"out_channels": 8}, "predicts 8 channels"),
        ("vae", {"latent_channels": 16}, "the VAE has 16"),
        ("vae", {"out_channels": 6}, "pictures of 6 channels"),
        ("unet", {"class_embed_type": "projection"}, "class_embed_type is projection"),
        ("unet", {"class_embed_type": ["projection"]}, "class_embed_type"),
        ("unet", {"num_class_embeds": 1000}, "num_class_embeds is 1000"),
        ("unet", {"addition_embed_type": "text_time"}, "addition_embed_type is text_time"),
        ("unet", {"addition_embed_type": "image_hint"}, "addition_embed_type is image_hint"),
        ("unet", {"encoder_hid_dim_type": "ip_image_proj"}, "encoder_hid_dim_type"),
        ("unet", {"cross_attention_dim": 1024}, "attends to 1024 numbers"),
        ("unet", {"encoder_hid_dim": 1024}, "attends to 1024 numbers"),
        ("text_encoder", {"text_config": {"hidden_size": 1024}}, "text encoder gives 1024"),
        ("unet", {"time_cond_proj_dim": 256}, "a distilled consistency model"),
    ],
    ids=str,
)
def test_networks_that_do_not_make_text_to_image_are_refused_before_any_weight_is_read(
    model: Path, component: str, changes: dict[str, Any], said: str
) -> None:
    change_json(model / component / "config.json", **changes)
    progress: list[Any] = []

    with pytest.raises(ModelError, match=re.escape(said)) as caught:
        load(str(model), device="cpu", on_progress=progress.append)

    assert caught.value.title == "The model's parts do not fit text to image"
    assert str(model) in caught.value.message
    assert not progress


def test_a_configuration_that_says_nothing_means_the_libraries_own_sizes(model: Path) -> None:
    path = model / "unet" / "config.json"
    config = json.loads(path.read_bytes())
    del config["cross_attention_dim"]
    rewrite(path, json.dumps(config).encode())

    assert "attends to 1280 numbers" in refusal(model).message


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux' /proc")
@pytest.mark.parametrize("name", [UNET, "unet/config.json", "model_index.json"])
def test_a_file_that_the_disk_does_not_give_is_named_with_the_reason(
    model: Path, name: str
) -> None:
    (model / name).unlink()
    (model / name).symlink_to("/proc/self/mem")

    error = refusal(model)

    assert error.title == "A part of the model cannot be read"
    assert f"{model / name}: Input/output error" in error.message
    assert "permissions" in error.remedy


def test_a_folder_that_may_not_be_looked_into_is_not_taken_for_an_empty_one(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = Path.iterdir

    def iterdir(folder: Path) -> Iterator[Path]:
        if folder.name == "vae":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", iterdir)

    assert f"{model / 'vae'}: Permission denied" in refusal(model).message


def test_a_folder_that_may_be_listed_and_not_entered_is_not_taken_for_an_incomplete_one(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = os.stat

    def look(path: Any, **options: Any) -> os.stat_result:
        if Path(str(path)).parent == model / "vae":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return found(path, **options)

    monkeypatch.setattr(os, "stat", look)
    # As these are on Python 3.14.
    monkeypatch.setattr(Path, "is_file", os.path.isfile)
    monkeypatch.setattr(Path, "is_dir", os.path.isdir)

    assert f"{model / 'vae'}: Permission denied" in refusal(model).message


def test_a_link_that_leads_nowhere_is_no_file_of_the_model(model: Path) -> None:
    (model / "unet" / "round.json").symlink_to("round.json")
    (model / "unet" / "gone.json").symlink_to("gone")
    load(str(model), device="cpu")


def test_json_that_is_nested_without_an_end_is_told_as_damage(model: Path) -> None:
    nested = b'{"a": ' * 100_000
    rewrite(model / UNET, len(nested).to_bytes(8, "little") + nested)
    assert refusal(model).title == "A weights file is damaged"

    rewrite(model / "vae" / "config.json", nested)
    assert str(model / "vae" / "config.json") in refusal(model).message


def test_a_tokenizer_that_cuts_beyond_the_text_encoders_positions_is_refused(model: Path) -> None:
    change_json(model / "tokenizer" / "tokenizer_config.json", model_max_length=200)

    progress: list[Any] = []

    with pytest.raises(ModelError, match="cuts at 200 tokens"):
        load(str(model), device="cpu", on_progress=progress.append)

    # The large parts have not been read by then.
    assert {told.component for told in progress} == {"tokenizer", "text_encoder"}


@pytest.mark.parametrize("device", ["tpu", "cuda:99", "", "meta"])
def test_a_device_that_is_not_there_is_told_with_those_that_are(device: str) -> None:
    error = refusal("pocket", device=device)

    assert "cpu" in error.remedy


def test_an_unknown_precision_is_told_with_those_that_are_known() -> None:
    assert "float16" in refusal("pocket", device="cpu", dtype="int8").remedy


def run(script: str) -> subprocess.CompletedProcess[str]:
    """Python runs the script where the environment lets models bring code of their own."""
    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "DIFFUSERS_DISABLE_REMOTE_CODE": "0"},
    )


def test_what_comes_before_every_module_of_the_core_brings_neither_torch_nor_diffusers() -> None:
    script = "import sys, sdtui.diffusion; print({'torch', 'diffusers'} & set(sys.modules))"

    assert run(script).stdout == "set()\n"


def test_no_model_brings_code_of_its_own_and_loading_one_prints_nothing() -> None:
    script = (
        "from sdtui.diffusion.components import load; load('pocket', device='cpu'); "
        "from diffusers.utils import constants; print(constants.DIFFUSERS_DISABLE_REMOTE_CODE)"
    )

    finished = run(script)

    assert finished.stdout == "True\n"
    assert "Loading" not in finished.stderr
