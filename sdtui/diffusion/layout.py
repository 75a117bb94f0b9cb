"""The diffusers layout of a model: which files it needs, and whether they are whole."""

from __future__ import annotations

import errno
import json
import stat
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdtui.errors import ModelError

MODEL_INDEX = "model_index.json"
COMPONENTS = ("tokenizer", "text_encoder", "unet", "vae", "scheduler")

_CLASSES = {
    "tokenizer": {"CLIPTokenizer", "CLIPTokenizerFast"},
    "text_encoder": {"CLIPTextModel"},
    "unet": {"UNet2DConditionModel"},
    "vae": {"AutoencoderKL"},
}
"""What sdtui builds. The scheduler's class is free: only its configuration is used."""

_WEIGHTS = {
    "text_encoder": "model",
    "unet": "diffusion_pytorch_model",
    "vae": "diffusion_pytorch_model",
}
_ARCHITECTURES = {
    "text_encoder": ("architectures", {"CLIPTextModel"}),
    "unet": ("_class_name", {"UNet2DConditionModel"}),
    "vae": ("_class_name", {"AutoencoderKL"}),
}
"""Where a component's own configuration names its class, and what may stand there."""

_PICKLES = (".bin", ".ckpt", ".pt", ".pth")
_LONGEST_HEADER = 100_000_000
_NOTHING_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
"""What is found behind a link that leads nowhere."""


@dataclass(frozen=True)
class ModelFiles:
    """The files that a model needs, as paths below its folder.

    `variants` tells for each component with weights which variant is meant: "fp16" or None;
    `weights` which file of `names` they are.
    """

    names: list[str]
    weights: dict[str, str]
    variants: dict[str, str | None]


def choose_files(names: Collection[str], where: str, *, half: bool) -> ModelFiles:
    """Pick what is needed from all the files of a model, a local one or one on the hub.

    With `half` the fp16 variant is taken where it exists. Raises `ModelError` naming the file
    that is missing in `where`.
    """
    if MODEL_INDEX not in names:
        raise ModelError(
            "Not a diffusers model",
            f"{where} holds no {MODEL_INDEX}.",
            "Give a folder or a hub id in diffusers layout. A single .safetensors or .ckpt file "
            "must be converted first.",
        )
    needed = [MODEL_INDEX, *_tokenizer_files(names, where)]
    chosen, variants = {}, {}
    for component, stem in _WEIGHTS.items():
        needed.append(_required(names, where, f"{component}/config.json"))
        weights = _weights(names, where, f"{component}/{stem}", half)
        chosen[component], variants[component] = weights
        needed.append(chosen[component])
    needed.append(_required(names, where, "scheduler/scheduler_config.json"))
    return ModelFiles(needed, chosen, variants)


def _required(names: Collection[str], where: str, name: str) -> str:
    if name not in names:
        raise ModelError(
            "A file of the model is missing",
            f"{where} holds no {name}.",
            "Copy or download the whole model again.",
        )
    return name


def _tokenizer_files(names: Collection[str], where: str) -> list[str]:
    # Without its configuration a tokenizer does not know where to cut.
    settings = _required(names, where, "tokenizer/tokenizer_config.json")
    if "tokenizer/tokenizer.json" in names:
        return ["tokenizer/tokenizer.json", settings]
    # Older tokenizers keep the words that were added to theirs in files of their own.
    added = ("tokenizer/added_tokens.json", "tokenizer/special_tokens_map.json")
    return [
        _required(names, where, "tokenizer/vocab.json"),
        _required(names, where, "tokenizer/merges.txt"),
        settings,
        *(name for name in added if name in names),
    ]


def _weights(names: Collection[str], where: str, stem: str, half: bool) -> tuple[str, str | None]:
    full, fp16 = f"{stem}.safetensors", f"{stem}.fp16.safetensors"
    if fp16 in names and (half or full not in names):
        return fp16, "fp16"
    if full in names:
        return full, None
    component = stem.split("/")[0]
    if any(name.startswith(f"{component}/") and name.endswith(_PICKLES) for name in names):
        raise ModelError(
            "Only pickled weights",
            f"{where} holds the {component} as a pickle and not as {full}. "
            "Reading a pickle may run any program that is hidden in it.",
            "Get the safetensors version of this model, or convert it where you trust it.",
        )
    return _required(names, where, full), None


def check_model_index(folder: Path) -> None:
    """Refuse a model made of other parts than Stable Diffusion's, naming the part."""
    index = read_json(folder / MODEL_INDEX)
    for component in COMPONENTS:
        entry = index.get(component)
        class_name = entry[-1] if isinstance(entry, list) and len(entry) == 2 else None
        if not isinstance(class_name, str):
            class_name = None
        allowed = _CLASSES.get(component)
        if class_name is None or (allowed is not None and class_name not in allowed):
            wanted = " or ".join(sorted(allowed)) if allowed else "a scheduler"
            raise ModelError(
                "Not a Stable Diffusion 1.x model",
                f"{folder / MODEL_INDEX} names {class_name or 'nothing'} as {component}; "
                f"sdtui runs {wanted}.",
                "Choose a model of the Stable Diffusion 1.x family.",
            )
    second = [name for name in ("text_encoder_2", "transformer", "prior") if index.get(name)]
    if second:
        raise ModelError(
            "Not a Stable Diffusion 1.x model",
            f"{folder / MODEL_INDEX} has a {second[0]}, which sdtui does not run.",
            "Choose a model of the Stable Diffusion 1.x family.",
        )


def check_components(folder: Path, names: Collection[str]) -> None:
    """Refuse what would have the libraries build another class, or read other files.

    They build the classes that sdtui names and read the weights that were checked, except where
    one of these asks for something else. `names` are the files in `folder`.
    """
    for name in sorted(names):
        if name.endswith("/adapter_config.json") or (".index." in name and name.endswith(".json")):
            raise ModelError(
                "Weights in several files",
                f"{folder / name} leads to other files, which sdtui does not read.",
                "Get a copy of this model with one safetensors file a part.",
            )
    for component, (field, allowed) in _ARCHITECTURES.items():
        path = folder / component / "config.json"
        config = read_json(path)
        named = config.get(field)
        classes = named if isinstance(named, list) else [named]
        if named is not None and not all(
            isinstance(name, str) and name in allowed for name in classes
        ):
            raise ModelError(
                "Not a Stable Diffusion 1.x model",
                f"{path} names {named} as its class; sdtui runs {' or '.join(sorted(allowed))}.",
                "Choose a model of the Stable Diffusion 1.x family.",
            )
        if config.get("quantization_config") is not None:
            raise ModelError(
                "Quantized weights",
                f"{path} has a quantization_config, and sdtui runs no quantized weights.",
                "Get this model in float16 or float32.",
            )


def check_safetensors(path: Path) -> None:
    """Compare a file's length with what its header promises, without reading the weights.

    The header is an 8-byte little-endian length and JSON with each tensor's `data_offsets`.
    Raises `ModelError` naming the file, so that damage is told before any weights are read.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            header_size = int.from_bytes(file.read(8), "little")
            if size < 8 or header_size > min(size - 8, _LONGEST_HEADER):
                raise _damaged(path, f"It has {size:,} bytes, too few for its own header.")
            content = file.read(header_size)
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        header = json.loads(content)
        ends = [
            entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"
        ]
        expected = 8 + header_size + max(ends, default=0)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _damaged(path, "Its header is no safetensors header.") from error
    if size != expected:
        raise _damaged(path, f"It has {size:,} bytes and should have {expected:,}.")


def _damaged(path: Path, reason: str) -> ModelError:
    # In the hub's cache this is a link, and deleting the link alone would bring back the damage.
    return ModelError(
        "A weights file is damaged",
        f"{path.resolve()}: {reason}",
        "Delete this file and copy or download it again.",
    )


def _unreadable(path: Path, error: OSError) -> ModelError:
    return ModelError(
        "A part of the model cannot be read",
        f"{path}: {error.strerror or error}",
        "Look at its permissions and at the disk that holds it, or copy or download it again.",
    )


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises `ModelError` naming the file when it holds none."""
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise _unreadable(path, error) from error
    except (ValueError, RecursionError) as error:
        raise ModelError(
            "A file of the model cannot be read",
            f"{path}: {error}",
            "Copy or download it again.",
        ) from error
    if not isinstance(content, dict):
        raise ModelError(
            "A file of the model cannot be read",
            f"{path} holds no JSON object.",
            "Copy or download it again.",
        )
    return content


def list_files(folder: Path) -> set[str]:
    """The files of a model's folder and of its components', as choose_files wants them.

    Raises `ModelError` naming the folder that cannot be read.
    """
    names = _files(folder)
    for component in COMPONENTS:
        names |= {f"{component}/{name}" for name in _files(folder / component)}
    return names


def _files(folder: Path) -> set[str]:
    """The names of the files in a folder, none where there is no folder."""
    try:
        return {path.name for path in folder.iterdir() if _is_file(path)}
    except (FileNotFoundError, NotADirectoryError):
        return set()
    except OSError as error:
        raise _unreadable(folder, error) from error


def _is_file(path: Path) -> bool:
    """As `Path.is_file`, which from Python 3.14 on says no also where it may not look."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError as error:
        if error.errno not in _NOTHING_THERE:
            raise
        return False
