"""Whether a model's networks make text to image together, as their configurations tell it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sdtui.diffusion.layout import read_json
from sdtui.errors import ModelError

_UNET = {"in_channels": 4, "out_channels": 4, "cross_attention_dim": 1280}
_VAE = {"out_channels": 3, "latent_channels": 4, "scaling_factor": 0.18215}
_TEXT_ENCODER = {"hidden_size": 512}
"""What the libraries take where a configuration does not say."""

_KINDS = {5: "a depth model", 7: "an upscaler", 8: "an editing model", 9: "an inpainting model"}
"""What models are whose U-Nets are shown so many channels beside four of latents."""

_WITHOUT_MORE_INPUT = {
    "class_embed_type": (None,),
    "num_class_embeds": (None,),
    "addition_embed_type": (None, "text"),
    "encoder_hid_dim_type": (None, "text_proj"),
}
"""Where a U-Net may ask for more than a prompt, and what may stand there."""


def check_architecture(folder: Path) -> None:
    """Refuse networks that do not fit each other, or that are shown more than a prompt.

    Only the configurations are read, which are small. Raises `ModelError`.
    """
    unet, vae, text = (
        {**defaults, **read_json(folder / component / "config.json")}
        for component, defaults in (("unet", _UNET), ("vae", _VAE), ("text_encoder", _TEXT_ENCODER))
    )
    # CLIP's own configuration has that of its text half inside.
    if isinstance(text.get("text_config"), dict):
        text |= text["text_config"]
    reason = next(_misfits(unet, vae, text), None)
    if reason is not None:
        raise ModelError(
            "The model's parts do not fit text to image",
            f"In {folder} {reason}.",
            "Choose a text-to-image model of the Stable Diffusion 1.x family.",
        )


def _misfits(
    unet: Mapping[str, Any], vae: Mapping[str, Any], text: Mapping[str, Any]
) -> Iterator[str]:
    if not _is_factor(vae["scaling_factor"]):
        yield f"the VAE's scaling_factor is {vae['scaling_factor']!r}"
    channels, latents = unet["in_channels"], vae["latent_channels"]
    if channels != latents:
        kind = f" ({_KINDS[channels]}?)" if channels in tuple(_KINDS) else ""
        yield f"the U-Net takes {channels} channels and the VAE has {latents}{kind}"
    if unet["out_channels"] != latents:
        yield f"the U-Net predicts {unet['out_channels']} channels and the VAE has {latents}"
    if vae["out_channels"] != 3:
        yield f"the VAE makes pictures of {vae['out_channels']} channels, not of red, green, blue"
    for field, allowed in _WITHOUT_MORE_INPUT.items():
        if unet.get(field) not in allowed:
            yield (
                f"the U-Net wants to be shown more than a prompt and latents ({field} is "
                f"{unet[field]})"
            )
    width = unet.get("encoder_hid_dim") or unet["cross_attention_dim"]
    if width != text["hidden_size"]:
        yield (
            f"the U-Net attends to {width} numbers a token and the text encoder gives "
            f"{text['hidden_size']}"
        )
    if unet.get("time_cond_proj_dim") is not None:
        yield "the U-Net wants the guidance scale as an input (a distilled consistency model)"


def _is_factor(value: object) -> bool:
    return isinstance(value, int | float) and 0 < value < math.inf
