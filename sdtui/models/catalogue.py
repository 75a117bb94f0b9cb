"""What can be loaded: the bundled model, Stable Diffusion 1.5, and folders of the user's own."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdtui import paths
from sdtui.errors import ModelError, ParameterError
from sdtui.models.description import read_json
from sdtui.params import DEFAULT_GUIDANCE, validate
from sdtui.text import clean

POCKET = "pocket"
STABLE_DIFFUSION_1_5 = "stable-diffusion-v1-5/stable-diffusion-v1-5"
_DEFAULT_SIZE = (512, 512)
_STABLE_DIFFUSION_GUIDANCE = 7.5
"""What Stable Diffusion 1.x is commonly used with."""
_UNET_WEIGHTS = (
    "unet/diffusion_pytorch_model.safetensors",
    "unet/diffusion_pytorch_model.fp16.safetensors",
)
_PICKLES = (".bin", ".ckpt", ".pt", ".pth")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)

_BEFORE_0_9 = re.compile(r"0\.[0-8](?!\d)", re.ASCII)
"""The versions of diffusers that wrote half of what Stable Diffusion was trained on."""

_MOVED = {"runwayml/stable-diffusion-v1-5": STABLE_DIFFUSION_1_5}
"""Hub ids that are gone, and where the same weights are now."""


@dataclass(frozen=True)
class CatalogueEntry:
    """One model to choose from. The native size is in pixels: what it was trained to draw."""

    name: str
    description: str
    native_width: int
    native_height: int


def entries() -> list[CatalogueEntry]:
    """The models to choose from: the bundled one, SD 1.5, then folders in the models folder."""
    known = [
        _entry(POCKET, "comes with sdtui, draws emoji on a CPU"),
        _entry(STABLE_DIFFUSION_1_5, "from the Hugging Face hub, 2 GB for a GPU, 4 GB for a CPU"),
    ]
    names = {entry.name for entry in known}
    # A name that is no text can be asked for by nobody.
    own = [
        folder
        for folder in _own_folders()
        if folder.name not in names and _is_possible("model", folder.name)
    ]
    return known + [_entry(folder.name, clean(f"in {folder}")) for folder in own]


def locate(model: str) -> Path | str:
    """Where a model is: a folder in diffusers layout, or a hub id.

    `model` is a name of `entries()`, a folder, or a hub id; one that has moved on the hub gives
    its new id (`moved_note` says so). Raises `ModelError` for anything else.
    """
    if folder := _named(model):
        return folder
    shown = clean(model, limit=200)
    try:
        folder = Path(model).expanduser()
        if folder.is_dir():
            return folder.resolve()
        if folder.is_file():
            pickled = folder.suffix in _PICKLES
            pickle = "a pickle, and reading one may run any program that is hidden in it"
            raise ModelError(
                "Not a model folder",
                f"{shown} is {pickle if pickled else 'a file'}.",
                "Give a folder in diffusers layout, the one that holds model_index.json.",
            )
    except (OSError, RuntimeError) as error:
        # No permission, a name too long, or the home of a user who is not there.
        reason = error.strerror if isinstance(error, OSError) else error
        raise ModelError(
            "The model's folder cannot be reached", f"{shown}: {reason}", _known_models()
        ) from error
    if _is_hub_id(model):
        return _MOVED.get(model, model)
    raise ModelError(
        "Unknown model",
        f"{shown} is neither a model's name, nor a folder, nor a hub id.",
        _known_models(),
    )


def from_anywhere(model: str) -> str:
    """`model` as a process finds it that works in another folder: one of the user's by its path.

    What is no model here is none there, and stays as it is.
    """
    try:
        where = model if _named(model) else locate(model)
    except ModelError:
        return model
    return str(where) if isinstance(where, Path) else model


def moved_note(model: str) -> str | None:
    """What to tell the user when `model` has moved on the hub, otherwise None."""
    if model in _MOVED:
        return f"{model} is gone from the hub; the same weights are at {_MOVED[model]}."
    return None


def native_size(model: str) -> tuple[int, int]:
    """Width and height in pixels that the model was trained for, 512 by 512 where it does not say.

    It is the U-Net's `sample_size` times the VAE's scale factor, from the model's folder or the
    hub's cache; nothing is downloaded. Stable Diffusion's first exports and their fine-tunes say
    32 where 64 is meant, and are read as diffusers' pipeline reads them.
    """
    unet = read_json(_file_at_hand(model, "unet/config.json"))
    vae = read_json(_file_at_hand(model, "vae/config.json"))
    blocks = vae.get("block_out_channels")
    match unet.get("sample_size"):
        case int(side):
            if _BEFORE_0_9.match(str(unet.get("_diffusers_version"))):
                side = max(side, 64)
            height = width = side
        case [int(height), int(width)]:
            pass
        case _:
            return _DEFAULT_SIZE
    if not isinstance(blocks, list) or not blocks:
        return _DEFAULT_SIZE
    factor = 2 ** (len(blocks) - 1)
    return width * factor, height * factor


def native_guidance(model: str) -> float:
    """The guidance scale that suits the model."""
    return DEFAULT_GUIDANCE if model == POCKET else _STABLE_DIFFUSION_GUIDANCE


def tokenizer_folder(model: str) -> Path | None:
    """The folder of the model's tokenizer if it is at hand, for counting tokens without torch."""
    for name in ("tokenizer/tokenizer.json", "tokenizer/vocab.json"):
        if file := _file_at_hand(model, name):
            return file.parent
    return None


def is_at_hand(model: str) -> bool:
    """Whether the U-Net's weights are in the model's folder or the hub's cache already."""
    return any(_file_at_hand(model, name) for name in _UNET_WEIGHTS)


def folder_at_hand(model: str) -> Path | None:
    """The model's folder, in the hub's cache perhaps, if it is at hand."""
    index = _file_at_hand(model, "model_index.json")
    return index.parent if index is not None else None


def example_prompts(model: str) -> list[str]:
    """Prompts that suit the model, from its `things.json`; none for models without one."""
    examples = read_json(_file_at_hand(model, "things.json")).get("examples")
    if not isinstance(examples, list):
        return []
    return [prompt for prompt in examples if _is_possible("prompt", prompt)]


def _is_possible(field: str, value: Any) -> bool:
    """Whether the parameter can take the value."""
    try:
        validate(field, value)
    except ParameterError:
        return False
    return True


def _entry(name: str, description: str) -> CatalogueEntry:
    width, height = native_size(name)
    return CatalogueEntry(name, description, width, height)


def _named(model: str) -> Path | None:
    """The folder of a model that comes with sdtui or is in the models folder."""
    if model == POCKET:
        return Path(__file__).parent / POCKET
    return next((folder for folder in _own_folders() if folder.name == model), None)


def _own_folders() -> list[Path]:
    directory = paths.models_dir()
    # A folder that may not be looked into holds no model for this user.
    if not os.access(directory, os.R_OK | os.X_OK):
        return []
    return sorted(path.parent for path in directory.glob("*/model_index.json"))


def _known_models() -> str:
    return f"Known models: {', '.join(clean(entry.name) for entry in entries())}."


def _is_hub_id(model: str) -> bool:
    """Whether the hub may have a model of that name."""
    if not _HUB_ID.fullmatch(model):
        return False
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    try:
        validate_repo_id(model)
    except HFValidationError:
        return False
    return True


def _file_at_hand(model: str, name: str) -> Path | None:
    """A file of the model, in its folder or in the hub's cache."""
    try:
        where = locate(model)
    except ModelError:
        return None
    if isinstance(where, Path):
        file = where / name
        return file if file.is_file() else None
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(where, name)
    return Path(cached) if isinstance(cached, str) else None
