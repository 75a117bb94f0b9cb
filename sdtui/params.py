"""What to make: the parameters of one generation, and the one place where their bounds stand."""

from __future__ import annotations

import math
import os
from typing import Any

import msgspec

from sdtui.errors import ParameterError

SCHEDULERS: tuple[str, ...] = (
    "UniPC",
    "DPM++ 2M",
    "DPM++ 2M Karras",
    "DPM++ 2S",
    "Euler",
    "Euler a",
    "Heun",
    "DDIM",
    "PNDM",
    "LMS",
    "DEIS",
    "LCM",
)
"""The samplers under the names that users know; `sdtui.diffusion.schedulers` builds them."""

MAX_PROMPT_CHARACTERS = 20_000
MIN_STEPS, MAX_STEPS = 1, 200
MIN_GUIDANCE, MAX_GUIDANCE = 0.0, 50.0
MIN_SIZE, MAX_SIZE, SIZE_MULTIPLE = 64, 2048, 8
MAX_SEED = 2**63 - 1
"""SQLite integers end here, though torch accepts seeds up to 2**64 - 1."""
MAX_PREVIEW_EVERY = MAX_STEPS
MIN_BATCH, MAX_BATCH = 1, 100
"""How many pictures may be asked for at once."""
DTYPES = ("auto", "float32", "float16", "bfloat16")
DEVICE_VARIABLE, DTYPE_VARIABLE = "SDTUI_DEVICE", "SDTUI_DTYPE"
"""The variables by which a user says where models run, and in which precision."""
LCM_MAX_STEPS = 50
"""LCM picks its timesteps from the 50 that the distilled models were trained on."""


def random_seed() -> int:
    """A seed of at most ten digits, so that a person can read it out."""
    return int.from_bytes(os.urandom(4), "big")


def wanted_device() -> str:
    """What SDTUI_DEVICE says, or "auto". Whether there is such a device, torch knows."""
    return os.environ.get(DEVICE_VARIABLE) or "auto"


def wanted_dtype() -> str:
    """What SDTUI_DTYPE says, or "auto". Raises `ParameterError` for another word."""
    return checked_dtype(os.environ.get(DTYPE_VARIABLE) or "auto")


def checked_dtype(dtype: str) -> str:
    """`dtype` if it is one of `DTYPES`."""
    if dtype not in DTYPES:
        words = f"must be {', '.join(DTYPES[:-1])} or {DTYPES[-1]}"
        raise ParameterError(f"--dtype or {DTYPE_VARIABLE}", words)
    return dtype


def scheduler_name(name: str) -> str:
    """The canonical spelling of a sampler's name given in any case."""
    folded = " ".join(name.split()).casefold()
    for candidate in SCHEDULERS:
        if candidate.casefold() == folded:
            return candidate
    raise ParameterError(
        "scheduler", "is not one that sdtui knows", f"Choose one of: {', '.join(SCHEDULERS)}."
    )


DEFAULT_GUIDANCE = 4.0
"""What suits the bundled model, as the other defaults do."""


class GenerationParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The frozen, validated parameters of one picture.

    The defaults suit the bundled model. `width` and `height` are in pixels. `preview_every` is in
    steps; 0 turns previews off.
    Constructing (or decoding) one outside its bounds raises `ParameterError`, which names the
    field; nothing is rounded or replaced.
    """

    prompt: str
    negative_prompt: str = ""
    model: str = "pocket"
    scheduler: str = "UniPC"
    num_inference_steps: int = 25
    guidance_scale: float = DEFAULT_GUIDANCE
    seed: int = 0
    width: int = 128
    height: int = 128
    preview_every: int = 1

    def __post_init__(self) -> None:
        for field in self.__struct_fields__:
            validate(field, getattr(self, field))
        if self.scheduler == "LCM" and self.num_inference_steps > LCM_MAX_STEPS:
            raise ParameterError(
                "num_inference_steps",
                f"must be at most {LCM_MAX_STEPS} with LCM",
                "Four to eight steps are what LCM is for.",
            )


def later_seed(seed: int, by: int = 1) -> int:
    """The seed that many places behind `seed`. The last one is followed by the first."""
    return (seed + by) % (MAX_SEED + 1)


def batch_of(params: GenerationParams, count: int) -> list[GenerationParams]:
    """The parameters of `count` pictures that differ in their seeds: the given one and the next."""
    validate("batch", count)
    return [
        msgspec.structs.replace(params, seed=later_seed(params.seed, place))
        for place in range(count)
    ]


def validate(field: str, value: Any) -> None:
    """Raise `ParameterError` unless `value` is one that `field` can take.

    `field` is one of `GenerationParams`, or "batch".
    """
    match field:
        case "prompt" | "negative_prompt":
            _validate_prompt(field, value)
        case "model":
            if not isinstance(value, str) or not value.strip():
                raise ParameterError(field, "is empty", "Name a model, for example pocket.")
            _validate_encodable(field, value)
        case "scheduler":
            if value not in SCHEDULERS:
                raise ParameterError(
                    field, "is not one that sdtui knows", f"Choose one of: {', '.join(SCHEDULERS)}."
                )
        case "num_inference_steps":
            _validate_integer(field, value, MIN_STEPS, MAX_STEPS)
        case "guidance_scale":
            _validate_guidance(field, value)
        case "seed":
            _validate_integer(field, value, 0, MAX_SEED)
        case "width" | "height":
            _validate_integer(field, value, MIN_SIZE, MAX_SIZE)
            if value % SIZE_MULTIPLE:
                below = value - value % SIZE_MULTIPLE
                raise ParameterError(
                    field,
                    f"must be a multiple of {SIZE_MULTIPLE}",
                    f"Try {below} or {below + SIZE_MULTIPLE}.",
                )
        case "preview_every":
            _validate_integer(field, value, 0, MAX_PREVIEW_EVERY)
        case "batch":
            _validate_integer(field, value, MIN_BATCH, MAX_BATCH)
        case _:
            raise ParameterError(field, "is not a parameter")


def _validate_prompt(field: str, value: Any) -> None:
    if not isinstance(value, str):
        raise ParameterError(field, "must be text")
    if field == "prompt" and not value.strip():
        raise ParameterError(field, "is empty", "Say what to draw.")
    if len(value) > MAX_PROMPT_CHARACTERS:
        raise ParameterError(
            field, f"has {len(value):,} characters; the limit is {MAX_PROMPT_CHARACTERS:,}"
        )
    _validate_encodable(field, value)


def _validate_encodable(field: str, value: str) -> None:
    """Refuse surrogates, by which Python carries foreign bytes: they do not pass the wire."""
    if any(0xD800 <= ord(character) <= 0xDFFF for character in value):
        raise ParameterError(field, "holds bytes that are not UTF-8 text")


def _validate_integer(field: str, value: Any, lowest: int, highest: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ParameterError(field, "must be a whole number")
    if not lowest <= value <= highest:
        raise ParameterError(field, f"must be from {lowest} to {highest}")


def _validate_guidance(field: str, value: Any) -> None:
    # Only floats have values that are not finite; an int may be too large for math.isfinite.
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or (isinstance(value, float) and not math.isfinite(value)):
        raise ParameterError(field, "must be a finite number")
    if not MIN_GUIDANCE <= value <= MAX_GUIDANCE:
        raise ParameterError(field, f"must be from {MIN_GUIDANCE:g} to {MAX_GUIDANCE:g}")
