"""Model folders with something wrong in them: copies of the bundled model, damaged."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from sdtui.models import catalogue

UNET = "unet/diffusion_pytorch_model.safetensors"


def copy_of_the_model(folder: Path) -> Path:
    """The bundled model as links, each to be replaced and none to be written through."""
    source = catalogue.locate("pocket")
    assert isinstance(source, Path)
    return shutil.copytree(source, folder, copy_function=os.symlink)


def rewrite(path: Path, content: bytes) -> None:
    """Put a file in the place of a link."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def change_json(path: Path, **changes: Any) -> None:
    """Change some fields of a JSON object."""
    rewrite(path, json.dumps({**json.loads(path.read_bytes()), **changes}).encode())


def change_weights(path: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """Change some tensors of a weights file."""
    weights = safetensors.torch.load_file(path)
    change(weights)
    path.unlink()
    safetensors.torch.save_file(weights, path, {"format": "pt"})


def _hide_a_pickle_behind_an_index(folder: Path) -> None:
    weights = safetensors.torch.load_file(folder / UNET)
    torch.save(weights, folder / "unet" / "hidden.bin")
    index = {"metadata": {}, "weight_map": dict.fromkeys(weights, "hidden.bin")}
    rewrite(folder / f"{UNET}.index.json", json.dumps(index).encode())


def _add_a_token(folder: Path) -> None:
    path = folder / "tokenizer" / "tokenizer.json"
    added = json.loads(path.read_bytes())["added_tokens"]
    token = {**added[-1], "id": 49408, "content": "zzz"}
    change_json(path, added_tokens=[*added, token])


def _rename_to(ending: str) -> Callable[[Path], None]:
    return lambda folder: (folder / UNET).rename((folder / UNET).with_suffix(ending)) and None


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no index": (lambda m: (m / "model_index.json").unlink(), "model_index.json"),
    "index is no JSON": (lambda m: rewrite(m / "model_index.json", b"<html>"), "model_index.json"),
    "foreign class": (
        lambda m: change_json(m / "model_index.json", unet=["evil", "../../Evil"]),
        "../../Evil",
    ),
    "no weights": (lambda m: (m / UNET).unlink(), UNET),
    "pickle .bin": (_rename_to(".bin"), "pickle"),
    "pickle .ckpt": (_rename_to(".ckpt"), "pickle"),
    "pickle .pt": (_rename_to(".pt"), "pickle"),
    "pickle behind an index": (_hide_a_pickle_behind_an_index, "index.json"),
    "truncated weights": (
        lambda m: rewrite(m / UNET, (m / UNET).read_bytes()[:1_000_000]),
        "1,000,000 bytes",
    ),
    "weights without a header": (lambda m: rewrite(m / UNET, b"\xff" * 4096), UNET),
    "a tensor is missing": (
        lambda m: change_weights(m / UNET, lambda weights: weights.pop("conv_in.weight")),
        "conv_in.weight",
    ),
    "a tensor of another shape": (
        lambda m: change_weights(
            m / UNET, lambda weights: weights.update({"conv_out.bias": torch.zeros(5)})
        ),
        "unet",
    ),
    "quantized": (
        lambda m: change_json(
            m / "unet" / "config.json", quantization_config={"quant_method": "x"}
        ),
        "quantization_config",
    ),
    "tokenizer is no JSON": (
        lambda m: rewrite(m / "tokenizer" / "tokenizer.json", b"{"),
        "tokenizer",
    ),
    "a token that the encoder does not know": (_add_a_token, "49409 tokens"),
    "a unet of another class": (
        lambda m: change_json(m / "unet" / "config.json", _class_name="UNet3DConditionModel"),
        "UNet3DConditionModel",
    ),
    "a text encoder of no class": (
        lambda m: change_json(m / "text_encoder" / "config.json", architectures=[{}]),
        "text_encoder/config.json",
    ),
    "a vae of no class": (
        lambda m: change_json(m / "vae" / "config.json", _class_name={"a": "b"}),
        "vae/config.json",
    ),
    "a picture scaled by nothing": (
        lambda m: change_json(m / "vae" / "config.json", scaling_factor=0),
        "scaling_factor",
    ),
    "a scheduler without steps": (
        lambda m: change_json(m / "scheduler" / "scheduler_config.json", num_train_timesteps=0),
        "scheduler_config.json",
    ),
    "a scheduler of words": (
        lambda m: change_json(m / "scheduler" / "scheduler_config.json", trained_betas=["often"]),
        "scheduler_config.json",
    ),
    "an unknown prediction": (
        lambda m: change_json(m / "scheduler" / "scheduler_config.json", prediction_type="luck"),
        "luck",
    ),
}
"""What is done to the folder, and what the error names."""
