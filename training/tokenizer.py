"""The true CLIP tokenizer, built from OpenAI's published merges."""

from __future__ import annotations

import gzip
from pathlib import Path

from transformers import CLIPTokenizer

#: 49,152 BPE tokens less the 256 bytes and their 256 word-final forms.
MERGES = 49_152 - 256 - 2
START, END = "<|startoftext|>", "<|endoftext|>"


def byte_characters() -> list[str]:
    """The 256 printable characters that stand for bytes, in OpenAI's order."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1)]
    printable += range(ord("®"), ord("ÿ") + 1)
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + n) for n in range(len(others))]


def build_tokenizer(folder: Path) -> CLIPTokenizer:
    """The tokenizer of 49,408 tokens and 77 positions from the merges file in `folder`."""
    with gzip.open(folder / "bpe_simple_vocab_16e6.txt.gz", "rt", encoding="utf-8") as file:
        lines = file.read().split("\n")[1 : MERGES + 1]
    merges = [tuple(line.split()) for line in lines]
    characters = byte_characters()
    tokens = characters + [c + "</w>" for c in characters] + ["".join(m) for m in merges]
    vocabulary = {token: index for index, token in enumerate([*tokens, START, END])}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77)
