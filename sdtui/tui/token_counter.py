"""How many of the model's 77 positions a prompt takes, counted with the model's own tokenizer.

Only the `tokenizers` package is needed: transformers stays in the worker.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SEQUENCE_LENGTH = 77
"""CLIP's positions, the two specials included."""

_START, _END = "<|startoftext|>", "<|endoftext|>"
_WORDS = (
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
)


@dataclass(frozen=True)
class TokenCount:
    """`tokens` counts both specials. `cut_at` is the first character that the model does not see.

    It is None where everything fits.
    """

    tokens: int
    cut_at: int | None = None


class TokenCounter:
    """Counts as `CLIPTokenizer` does."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    @classmethod
    def load(cls, folder: Path) -> TokenCounter:
        """The tokenizer in `folder` (`tokenizer.json`, or `vocab.json` and `merges.txt`).

        Raises OSError or ValueError where the files cannot be read.
        """
        return cls(_read(folder))

    def count(self, text: str) -> TokenCount:
        """The positions that `text` takes, and where it is cut beyond 77."""
        if not text:
            return TokenCount(2)
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        room = SEQUENCE_LENGTH - 2
        tokens = len(encoding) + 2
        if len(encoding) <= room:
            return TokenCount(tokens)
        return TokenCount(tokens, encoding.offsets[room][0])


@functools.lru_cache(maxsize=2)
def _read(folder: Path) -> Tokenizer:
    """Reading 49,408 tokens takes a noticeable while, so going back to a model is free."""
    from tokenizers import Tokenizer

    whole = folder / "tokenizer.json"
    try:
        tokenizer = Tokenizer.from_file(str(whole)) if whole.is_file() else _from_parts(folder)
    except (OSError, ValueError):
        raise
    except Exception as error:
        # What tokenizers says of a file that it cannot read is of no narrower class.
        raise ValueError(f"The tokenizer in {folder} cannot be read: {error}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _from_parts(folder: Path) -> Tokenizer:
    from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

    vocabulary = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    lines = (folder / "merges.txt").read_text(encoding="utf-8").splitlines()
    merges = [
        (left, right)
        for line in lines
        if line and not line.startswith("#version")
        for left, right in [line.split()]
    ]
    if any(token not in vocabulary for a, b in merges for token in (a, b, a + b)):
        # tokenizers panics at some of them, which is no Exception and writes over the screen.
        raise ValueError(f"merges.txt in {folder} names tokens that vocab.json does not have")
    tokenizer = Tokenizer(
        models.BPE(
            vocab=vocabulary,
            merges=merges,
            end_of_word_suffix="</w>",
            continuing_subword_prefix="",
            unk_token=_END,
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in (_START, _END)]
    )
    return tokenizer
