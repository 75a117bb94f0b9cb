"""Text → input_ids → prompt_embeds: the CLIP text encoder of Stable Diffusion."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

import torch
from transformers import CLIPTextModel, CLIPTokenizer

from sdtui.diffusion.devices import synchronize

_END_OF_WORD = "</w>"
_SHOWN_AS_THEMSELVES = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))
_BYTES = {chr(byte): byte for byte in _SHOWN_AS_THEMSELVES} | {
    chr(0x100 + place): byte
    for place, byte in enumerate(sorted({*range(0x100)} - {*_SHOWN_AS_THEMSELVES}))
}
"""The byte that each character of the vocabulary stands for (Radford et al., 2019, GPT-2)."""
_UNDECODED = re.compile("[\udc80-\udcff]+")
"""Bytes that UTF-8 does not know, as `surrogateescape` leaves them."""


@dataclass(frozen=True)
class TokenizedPrompt:
    """What the tokenizer made of one prompt.

    `input_ids` is (1, sequence_length), padded. `tokens` holds the used positions, both specials
    included, as (id, text), the text with "</w>" at the end of a word, and with "<E6 9C>" where a
    token has these two bytes of a character that other tokens complete; `padding` counts the
    positions behind them. `cut` is the end of the text that did not fit and that the model does
    not see.
    """

    text: str
    input_ids: torch.Tensor
    tokens: list[tuple[int, str]]
    padding: int
    pad_token_id: int
    vocabulary: int
    cut: str = ""

    @property
    def sequence_length(self) -> int:
        """Positions that the text encoder sees: 77."""
        return self.input_ids.shape[1]


@dataclass(frozen=True)
class EncodedPrompts:
    """The text encoder's answer, each (1, sequence_length, hidden)."""

    prompt_embeds: torch.Tensor
    negative_prompt_embeds: torch.Tensor
    seconds: float

    @property
    def norm(self) -> float:
        """Euclidean norm of `prompt_embeds` over all elements."""
        return self.prompt_embeds.float().norm().item()

    @property
    def negative_norm(self) -> float:
        """Euclidean norm of `negative_prompt_embeds` over all elements."""
        return self.negative_prompt_embeds.float().norm().item()


def tokenize(tokenizer: CLIPTokenizer, text: str) -> TokenizedPrompt:
    """Byte-pair encoding of one prompt, padded and cut to the model's length."""
    whole = tokenizer(text, return_offsets_mapping=True)
    limit = tokenizer.model_max_length
    padded = tokenizer(
        text, padding="max_length", max_length=limit, truncation=True, return_tensors="pt"
    )
    used = int(padded.attention_mask.sum())
    ids = padded.input_ids[0, :used].tolist()
    added = tokenizer.added_tokens_decoder
    texts = [
        token if token_id in added else _readable(token)
        for token_id, token in zip(ids, tokenizer.convert_ids_to_tokens(ids), strict=True)
    ]
    cut = ""
    if len(whole.input_ids) > limit:
        # The last position that fits holds the end token, so the text ends one before.
        first_cut, _ = whole.offset_mapping[limit - 1]
        cut = text[first_cut:].strip()
    return TokenizedPrompt(
        text=text,
        input_ids=padded.input_ids,
        tokens=list(zip(ids, texts, strict=True)),
        padding=limit - used,
        pad_token_id=tokenizer.pad_token_id,
        vocabulary=len(tokenizer),
        cut=cut,
    )


def _readable(token: str) -> str:
    """A token of the byte-level vocabulary as the text that it stands for; others as they are."""
    text = token.removesuffix(_END_OF_WORD)
    if not _BYTES.keys() >= set(text):
        return token
    decoded = bytes(_BYTES[character] for character in text).decode("utf-8", "surrogateescape")
    return _UNDECODED.sub(_as_bytes, decoded) + token[len(text) :]


def _as_bytes(undecoded: re.Match[str]) -> str:
    return f"<{undecoded[0].encode('utf-8', 'surrogateescape').hex(' ').upper()}>"


@torch.inference_mode()
def encode(
    text_encoder: CLIPTextModel, prompt: TokenizedPrompt, negative_prompt: TokenizedPrompt
) -> EncodedPrompts:
    """Run the text encoder over both prompts, one after the other.

    An empty negative prompt is encoded like any other text: it is the "unconditional" half of
    classifier-free guidance.
    """
    started = time.perf_counter()
    device = text_encoder.device
    prompt_embeds = text_encoder(prompt.input_ids.to(device))[0]
    negative_prompt_embeds = text_encoder(negative_prompt.input_ids.to(device))[0]
    synchronize(device)
    return EncodedPrompts(
        prompt_embeds, negative_prompt_embeds, seconds=time.perf_counter() - started
    )
