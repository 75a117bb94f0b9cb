"""Where each CLIP token starts in the text encoder: near the words it resembles.

Every token string goes through a sentence model, so that a word the captions never use still
lies beside the ones they do.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import normalize
from transformers import AutoModel, AutoTokenizer, CLIPTokenizer

#: A token this near (cosine of vectors from their mean) to a thing's word is read as that word.
#: Nearer by a tenth, half of the held-out synonyms would miss theirs; further, adjectives get one.
NEAR = 0.45
#: How many tokens lend it their rows, and how soon the further ones count for less.
LENDERS, TEMPERATURE = 3, 0.05


@torch.inference_mode()
def embed_tokens(tokenizer: CLIPTokenizer, folder: Path, batch_size: int = 512) -> np.ndarray:
    """Sentence vectors of all tokens' strings, (49408, 384) float32, each of length one."""
    model = AutoModel.from_pretrained(folder).eval()
    reader = AutoTokenizer.from_pretrained(folder)
    tokens = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    strings = [tokenizer.convert_tokens_to_string([token]).strip() or token for token in tokens]
    # Batches of like length waste no time on padding.
    order = np.argsort([len(string) for string in strings], kind="stable")
    vectors = np.empty((len(strings), model.config.hidden_size), np.float32)
    for start in range(0, len(strings), batch_size):
        rows = order[start : start + batch_size]
        batch = reader([strings[row] for row in rows], padding=True, return_tensors="pt")
        hidden = model(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1)
        pooled = (hidden * mask).sum(1) / mask.sum(1)
        vectors[rows] = normalize(pooled, dim=-1).numpy()
    return vectors


def project(vectors: np.ndarray, hidden_size: int, std: float = 0.02) -> torch.Tensor:
    """The principal components of `vectors`, (tokens, hidden_size), with entries of `std`."""
    table = torch.from_numpy(vectors.astype(np.float32))
    table = table - table.mean(0)
    _, _, components = torch.linalg.svd(table.T @ table)
    projected = table @ components[:hidden_size].T
    # Each row gets the same length: how far a token lies from the mean says little here.
    lengths = projected.norm(dim=-1, keepdim=True).clamp_min(1e-6)
    return projected / lengths * std * hidden_size**0.5


def lend_rows(
    table: torch.Tensor, vectors: np.ndarray, used: torch.Tensor, lenders: torch.Tensor
) -> torch.Tensor:
    """A copy of `table` (tokens, hidden) where tokens near a thing's word have rows like its.

    Training moves the rows of the `used` token ids, and what reads them, away from where the
    sentence model put all. So "puppy" gets the mean of its nearest rows by `vectors` (tokens, any
    size), "dog" above all: a word that no caption used is read as its nearest that some did. Only
    `lenders` lend, for opposites are near each other too: "large", whose nearest is "small", keeps
    its row, as do all tokens whose nearest is no lender or not near.
    """
    places = torch.from_numpy(vectors.astype(np.float32))
    places = normalize(places - places.mean(0), dim=-1)
    nearness, nearest = (places @ places[used].T).topk(min(LENDERS, len(used)))
    is_lender = torch.isin(used, lenders)[nearest]
    shares = torch.softmax(nearness / TEMPERATURE, dim=-1) * is_lender
    shares = (shares / shares.sum(-1, keepdim=True).clamp_min(1e-9)).to(table)
    lent = (shares[..., None] * table[used][nearest]).sum(1)
    is_lent = (nearness[:, 0] >= NEAR) & is_lender[:, 0]
    is_lent[used] = False
    return torch.where(is_lent[:, None], lent, table)
