"""What a model's folder tells of the model, whole, in part or damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors import safe_open

from sdtui.models import catalogue
from sdtui.models.description import describe

POCKET = catalogue.locate(catalogue.POCKET)


def test_the_bundled_model_says_all_of_itself() -> None:
    assert isinstance(POCKET, Path)
    about = describe(POCKET)
    assert [part.name for part in about.components] == [
        "tokenizer",
        "text_encoder",
        "unet",
        "vae",
        "scheduler",
    ]
    unet = about.components[2]
    file = POCKET / "unet" / "diffusion_pytorch_model.safetensors"
    with safe_open(file, "np") as tensors:
        parameters = sum(tensors.get_tensor(name).size for name in tensors.keys())  # noqa: SIM118
    assert unet.parameters == parameters
    assert unet.size == file.stat().st_size
    known = json.loads((POCKET / "things.json").read_text())
    assert about.knows == known
    assert about.limits
    assert all(limit.endswith(".") and "\n" not in limit for limit in about.limits)
    assert about.card == POCKET / "README.md"


def test_a_model_that_says_nothing_of_itself_has_its_components_alone(tmp_path: Path) -> None:
    index = {"_class_name": "X", "unet": ["diffusers", "UNet2DConditionModel"], "vae": [None, None]}
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    about = describe(tmp_path)
    (unet,) = about.components
    assert (unet.class_name, unet.parameters, unet.size) == ("UNet2DConditionModel", 0, 0)
    assert not about.knows
    assert not about.limits
    assert about.card is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x05",
        b"\xff" * 16,
        (2).to_bytes(8, "little") + b"{]",
        (2).to_bytes(8, "little") + b"[]",
        (13).to_bytes(8, "little") + b'{"a": "words"}',
        (18).to_bytes(8, "little") + b'{"a": {"shape": 1}}',
    ],
)
def test_weights_that_cannot_be_read_have_no_parameters(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "x.safetensors").write_bytes(content)
    index = {"unet": ["diffusers", "UNet2DConditionModel"]}
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    (unet,) = describe(tmp_path).components
    assert unet.parameters == 0
    assert unet.size == len(content)


def test_what_is_no_list_of_words_is_left_out(tmp_path: Path) -> None:
    things = {"things": ["fox", 3, None], "styles": "flat", "examples": [["a"]], "more": ["x"]}
    (tmp_path / "things.json").write_text(json.dumps(things))
    assert describe(tmp_path).knows == {"things": ["fox"]}


def test_variants_count_once_and_parts_all(tmp_path: Path) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [2, 5], "data_offsets": [0, 40]}}).encode()
    content = len(header).to_bytes(8, "little") + header
    for name, files in {
        "unet": ("x.safetensors", "x.fp16.safetensors"),
        "vae": ("x.fp16.safetensors", "x.non_ema.safetensors"),
        "text_encoder": ("x-00001-of-00002.safetensors", "x-00002-of-00002.safetensors"),
    }.items():
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / file).write_bytes(content)
    index = {name: ["x", "X"] for name in ("unet", "vae", "text_encoder")}
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    assert [part.parameters for part in describe(tmp_path).components] == [10, 10, 20]


def test_weights_that_have_gone_have_no_figures(tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "x.safetensors").symlink_to(tmp_path / "gone")
    (tmp_path / "README.md").symlink_to(tmp_path / "gone")
    (tmp_path / "model_index.json").write_text(json.dumps({"unet": ["x", "X"]}))
    about = describe(tmp_path)
    assert [(part.parameters, part.size) for part in about.components] == [(0, 0)]
    assert about.card is None
