"""The text encoder, trained on the rows of its token table that captions use.

The table's other rows keep the place that the sentence model gave them, so a step costs nothing
for the 49,000 tokens that no caption holds; in the end, those near a trained one follow it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from training.config import DiffusionRecipe
from training.word_vectors import lend_rows

#: Spread of the token table's entries: wide beside what training moves them by.
TOKEN_STD = 0.3
VOCABULARY_SIZE, MAX_LENGTH = 49_408, 77
START_ID, END_ID = 49_406, 49_407


class Vocabulary:
    """The tokens that captions use, renumbered without gaps."""

    def __init__(self, tokenizer: CLIPTokenizer, texts: Iterable[str]) -> None:
        self.tokenizer = tokenizer
        rows = tokenizer(list(texts)).input_ids
        self.token_ids = torch.tensor(sorted({START_ID, END_ID, *(i for row in rows for i in row)}))
        self._renumbered = torch.full((VOCABULARY_SIZE,), -1)
        self._renumbered[self.token_ids] = torch.arange(len(self.token_ids))
        self._by_word: dict[str, list[int]] = {}

    def encode(self, captions: Sequence[str]) -> torch.Tensor:
        """Renumbered ids of captions, padded as in use, (batch, 77).

        No token crosses a space, so each word is tokenized once only: the tokenizer itself would
        take longer than a GPU's step.
        """
        start, end = self._renumbered[[START_ID, END_ID]].tolist()
        rows = []
        for caption in captions:
            ids = [number for word in caption.split() for number in self._encode_word(word)]
            ids = [start, *ids[: MAX_LENGTH - 2], end]
            rows.append(ids + [end] * (MAX_LENGTH - len(ids)))
        return torch.tensor(rows)

    def _encode_word(self, word: str) -> list[int]:
        if word not in self._by_word:
            ids = self.tokenizer(word, add_special_tokens=False).input_ids
            renumbered = self._renumbered[ids].tolist()
            if min(renumbered) < 0:
                raise KeyError(f"{word!r} holds a token that is not in the vocabulary")
            self._by_word[word] = renumbered
        return self._by_word[word]

    def whole_words(self, words: Iterable[str]) -> torch.Tensor:
        """CLIP's own ids of those words that are one token: parts of words mean nothing alone."""
        rows = [self.tokenizer(word, add_special_tokens=False).input_ids for word in words]
        return torch.tensor(sorted(row[0] for row in rows if len(row) == 1))

    def ends(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Where each caption's first end token stands, (batch,)."""
        return (input_ids == len(self.token_ids) - 1).int().argmax(-1)


def text_config(recipe: DiffusionRecipe, vocabulary_size: int, end_id: int) -> CLIPTextConfig:
    """The encoder's shape, for the whole vocabulary or a part of it."""
    return CLIPTextConfig(
        vocab_size=vocabulary_size,
        hidden_size=recipe.text_hidden_size,
        intermediate_size=4 * recipe.text_hidden_size,
        projection_dim=recipe.text_hidden_size,
        num_hidden_layers=recipe.text_layers,
        num_attention_heads=recipe.text_heads,
        max_position_embeddings=MAX_LENGTH,
        bos_token_id=min(START_ID, end_id - 1),
        eos_token_id=end_id,
        pad_token_id=end_id,
    )


def build_text_encoder(
    recipe: DiffusionRecipe, vocabulary: Vocabulary, table: torch.Tensor
) -> CLIPTextModel:
    """An untrained encoder over the vocabulary's part of `table` (49408, hidden)."""
    size = len(vocabulary.token_ids)
    text_encoder = CLIPTextModel(text_config(recipe, size, size - 1))
    with torch.no_grad():
        text_encoder.embeddings.token_embedding.weight.copy_(table[vocabulary.token_ids])
    return text_encoder


@torch.no_grad()
def with_whole_vocabulary(
    text_encoder: CLIPTextModel,
    recipe: DiffusionRecipe,
    vocabulary: Vocabulary,
    table: torch.Tensor,
    vectors: np.ndarray,
    nouns: Iterable[str],
) -> CLIPTextModel:
    """The trained encoder over all 49,408 tokens, which CLIP's own ids index.

    Those that no caption used are as in `table`, or read as the nearest of `nouns` by `vectors`.
    """
    whole = CLIPTextModel(text_config(recipe, VOCABULARY_SIZE, END_ID))
    weights = text_encoder.state_dict()
    rows = table.clone()
    rows[vocabulary.token_ids] = weights["embeddings.token_embedding.weight"].to(rows)
    weights["embeddings.token_embedding.weight"] = lend_rows(
        rows, vectors, vocabulary.token_ids, vocabulary.whole_words(nouns)
    )
    whole.load_state_dict(weights)
    return whole.eval()
