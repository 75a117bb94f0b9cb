"""The five parts of Stable Diffusion, loaded one by one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import huggingface_hub
import torch
import transformers
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from sdtui.diffusion.architecture import check_architecture
from sdtui.diffusion.devices import (
    choose_device,
    choose_dtype,
    device_name,
    has_failed,
    require_usable,
    synchronize,
)
from sdtui.diffusion.hub import DownloadProgress, fetch
from sdtui.diffusion.layout import (
    COMPONENTS,
    check_components,
    check_model_index,
    check_safetensors,
    choose_files,
    list_files,
    read_json,
)
from sdtui.diffusion.memory import is_out_of_memory
from sdtui.diffusion.schedulers import PREDICTION_TYPES, make_scheduler
from sdtui.errors import ModelError
from sdtui.models import catalogue


@dataclass(frozen=True)
class ComponentStart:
    """The component number `index` (from 0) of `count` is about to be read."""

    component: str
    index: int
    count: int


@dataclass(frozen=True)
class ComponentEnd:
    """The component is on its device. `parameters` counts its weights, `size` their bytes."""

    component: str
    class_name: str
    index: int
    count: int
    parameters: int
    size: int
    seconds: float


LoadingProgress = DownloadProgress | ComponentStart | ComponentEnd


@dataclass(frozen=True)
class LoadedComponents:
    """What a picture is made with. `scheduler_config` is what every scheduler is built from.

    `parameters` counts all weights and `size` their bytes; `seconds` is what loading took. `stamps`
    are the size, time and inode of every file that was read.
    """

    model: str
    folder: Path
    unet_file: Path
    tokenizer: CLIPTokenizer
    text_encoder: CLIPTextModel
    unet: UNet2DConditionModel
    vae: AutoencoderKL
    scheduler_config: Mapping[str, Any]
    device: torch.device
    device_name: str
    dtype: torch.dtype
    parameters: int
    size: int
    seconds: float
    stamps: Mapping[Path, tuple[int, int, int] | None]

    @property
    def is_current(self) -> bool:
        """Whether the files are still those that were read: a model may be exported anew."""
        return _stamps(self.stamps) == self.stamps

    @property
    def vae_scale_factor(self) -> int:
        """Pixels to one latent, along each side: 8 for Stable Diffusion."""
        return 2 ** (len(self.vae.config.block_out_channels) - 1)


def load(
    model: str,
    device: str = "auto",
    dtype: str = "auto",
    on_progress: Callable[[LoadingProgress], None] = lambda progress: None,
) -> LoadedComponents:
    """Load a model by its catalogue name, folder or hub id.

    What the configurations and the headers of the weights tell is checked before the first part is
    read, and how the tokenizer fits the text encoder before the large ones are. Reading them finds
    damage to the tokenizer, tensors that are missing or have another shape, and a device without
    room. Raises `ModelError` naming the file at fault and what to do about it.
    """
    started = time.perf_counter()
    _silence_libraries()
    torch_device = choose_device(device)
    torch_dtype = choose_dtype(dtype, torch_device)
    half = torch_dtype != torch.float32
    where = catalogue.locate(model)
    folder = where if isinstance(where, Path) else fetch(where, half=half, report=on_progress)

    names = list_files(folder)
    files = choose_files(names, str(folder), half=half)
    check_model_index(folder)
    check_components(folder, names)
    check_architecture(folder)
    _check_scheduler(folder / "scheduler" / "scheduler_config.json")
    for name in files.names:
        if name.endswith(".safetensors"):
            check_safetensors(folder / name)

    stamps = _stamps(folder / name for name in files.names)
    parts: dict[str, Any] = {}
    parameters = size = 0
    for index, component in enumerate(COMPONENTS):
        on_progress(ComponentStart(component, index, len(COMPONENTS)))
        component_started = time.perf_counter()
        part = _load_component(
            component, folder / component, files.variants.get(component), torch_device, torch_dtype
        )
        weights = list(part.parameters()) if isinstance(part, torch.nn.Module) else []
        end = ComponentEnd(
            component=component,
            class_name=_class_name(component, part),
            index=index,
            count=len(COMPONENTS),
            parameters=sum(weight.numel() for weight in weights),
            size=sum(weight.nbytes for weight in weights),
            seconds=time.perf_counter() - component_started,
        )
        parameters += end.parameters
        size += end.size
        parts[component] = part
        if component == "text_encoder":
            _check_tokenizer(folder, parts["tokenizer"], part)
        on_progress(end)

    return LoadedComponents(
        model=model,
        folder=folder,
        unet_file=folder / files.weights["unet"],
        tokenizer=parts["tokenizer"],
        text_encoder=parts["text_encoder"],
        unet=parts["unet"],
        vae=parts["vae"],
        scheduler_config=parts["scheduler"],
        device=torch_device,
        device_name=device_name(torch_device),
        dtype=torch_dtype,
        parameters=parameters,
        size=size,
        seconds=time.perf_counter() - started,
        stamps=stamps,
    )


def _stamps(files: Iterable[Path]) -> dict[Path, tuple[int, int, int] | None]:
    """What tells a file from another one of its name; None for one that is gone."""
    stamps: dict[Path, tuple[int, int, int] | None] = {}
    for file in files:
        try:
            found = file.stat()
            stamps[file] = (found.st_size, found.st_mtime_ns, found.st_ino)
        except OSError:
            stamps[file] = None
    return stamps


def _silence_libraries() -> None:
    """Errors are raised and progress is reported, so nothing needs to be printed."""
    for library in (diffusers, transformers):
        library.utils.logging.set_verbosity_error()
        library.utils.logging.disable_progress_bar()
    huggingface_hub.utils.logging.set_verbosity_error()


def _load_component(
    component: str, folder: Path, variant: str | None, device: torch.device, dtype: torch.dtype
) -> Any:
    if component == "scheduler":
        return read_json(folder / "scheduler_config.json")
    try:
        if component == "tokenizer":
            return CLIPTokenizer.from_pretrained(folder, local_files_only=True)
        module, report = _load_module(component, folder, variant, dtype)
        missing = sorted(report["missing_keys"])
        if missing:
            raise ModelError(
                "Weights are missing",
                f"{folder} lacks {len(missing)} tensors, {missing[0]} among them.",
                "Copy or download the whole model again.",
            )
        require_usable(device)
        module.requires_grad_(False).eval().to(device)
        synchronize(device)
        return module
    except ModelError:
        raise
    except Exception as error:
        if has_failed(error):
            raise
        if is_out_of_memory(error):
            raise ModelError(
                "Not enough memory",
                f"The {component} does not fit on {device_name(device)}.",
                "Close other programs that use it, or add --dtype float16 or --device cpu.",
            ) from error
        # The libraries raise whatever the damage provokes; its text is the reason to show.
        raise ModelError(
            f"The {component} cannot be loaded",
            f"{folder}: {error}",
            "Copy or download the model again.",
        ) from error


def _load_module(
    component: str, folder: Path, variant: str | None, dtype: torch.dtype
) -> tuple[torch.nn.Module, dict[str, Any]]:
    """The component and what was missing in its file (which would be random numbers)."""
    options: dict[str, Any] = {
        "variant": variant,
        "use_safetensors": True,
        "local_files_only": True,
        "output_loading_info": True,
    }
    if component == "text_encoder":
        return CLIPTextModel.from_pretrained(folder, dtype=dtype, **options)
    module_class = UNet2DConditionModel if component == "unet" else AutoencoderKL
    return module_class.from_pretrained(folder, torch_dtype=dtype, **options)


def _class_name(component: str, part: Any) -> str:
    return part.get("_class_name", "") if component == "scheduler" else type(part).__name__


def _check_tokenizer(folder: Path, tokenizer: CLIPTokenizer, text_encoder: CLIPTextModel) -> None:
    """Refuse a tokenizer that gives what the text encoder has no embedding for."""
    length, positions = tokenizer.model_max_length, text_encoder.config.max_position_embeddings
    tokens, known = len(tokenizer), text_encoder.config.vocab_size
    if length > positions:
        reason = (
            f"the tokenizer cuts at {length} tokens and the text encoder has {positions} positions"
        )
    elif tokens > known:
        reason = f"the tokenizer has {tokens} tokens and the text encoder knows {known}"
    else:
        return
    raise ModelError(
        "The model's parts do not fit text to image",
        f"In {folder} {reason}.",
        "Choose a text-to-image model of the Stable Diffusion 1.x family.",
    )


def _check_scheduler(path: Path) -> None:
    """Refuse a configuration of which no scheduler can be made; DDIM takes every sound one."""
    config = read_json(path)
    try:
        scheduler = make_scheduler("DDIM", config)
        scheduler.set_timesteps(1)
        if scheduler.config.prediction_type not in PREDICTION_TYPES:
            raise ValueError(f"its U-Net predicts {scheduler.config.prediction_type!r}")
    except Exception as error:
        # diffusers computes with whatever stands there.
        raise ModelError(
            "The scheduler cannot be made",
            f"{path}: {error}",
            "Copy or download the model again.",
        ) from error
