"""What the U-Net makes of the text alone, computed once instead of at every step.

A U-Net's cross-attention projects the text to keys and values (Rombach et al., 2022,
arXiv:2112.10752, section 3.3). The text stays the same while the latents change, and so do they.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from torch import nn

Forward = Callable[[torch.Tensor], torch.Tensor]


def text_layers(unet: UNet2DConditionModel) -> list[nn.Module]:
    """The layers whose only input is `encoder_hidden_states`.

    An attention with projections added for the text takes the picture through its own.
    """
    layers: list[nn.Module] = []
    for module in unet.modules():
        if not isinstance(module, Attention) or not module.is_cross_attention:
            continue
        if module.added_kv_proj_dim is None:
            layers += [module.to_k, module.to_v]
    if unet.config.addition_embed_type == "text":
        layers.append(unet.add_embedding)
    return layers


class TextComputedOnce:
    """Within its block, `unet` takes what it made of the text last, if the text is the same.

    One object serves a whole loop, and its block is entered at each step. Another tensor of
    `encoder_hidden_states` is another text; one that is changed in place is not noticed, nor are
    new weights. The bits are those of a U-Net that computes it at each step.
    """

    def __init__(self, unet: UNet2DConditionModel) -> None:
        self._forwards = [(layer, _remembering(layer.forward)) for layer in text_layers(unet)]
        self._own: list[Forward | None] = []

    def __enter__(self) -> None:
        # A layer has a forward of its own, beside its class's, where a library has hooked it.
        self._own = [vars(layer).get("forward") for layer, _ in self._forwards]
        for layer, forward in self._forwards:
            layer.forward = forward

    def __exit__(self, *_: object) -> None:
        for (layer, _forward), own in zip(self._forwards, self._own, strict=True):
            if own is None:
                del layer.forward
            else:
                layer.forward = own


def _remembering(forward: Forward) -> Forward:
    seen: torch.Tensor | None = None
    made: torch.Tensor

    def remember(text: torch.Tensor) -> torch.Tensor:
        nonlocal seen, made
        if text is not seen:
            seen, made = text, forward(text)
        return made

    return remember
