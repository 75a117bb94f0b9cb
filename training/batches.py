"""What a training step sees: captions with their latents."""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch

from training.captions import draw_caption, held_out_pairs
from training.config import Recipe
from training.model import Model
from training.parallel import rank, workers
from training.pictures import BACKGROUNDS, Things

#: The background that a caption without a background phrase has gets this many shares.
DEFAULT_BACKGROUND_SHARES = 2.5


class Batches:
    """Draws captions with their latents, never a held-out pair."""

    def __init__(self, things: Things, latents: torch.Tensor, model: Model, recipe: Recipe):
        self.names, self.latents, self.model = things.names, latents, model
        self.recipe = recipe.diffusion
        places = tuple(BACKGROUNDS)
        held_out = held_out_pairs(len(things.names), places, recipe.held_out, recipe.seed)
        self.pairs = [
            (thing, place)
            for thing in range(len(things.names))
            for place in range(len(places))
            if (thing, place) not in held_out
        ]
        self.shares = [DEFAULT_BACKGROUND_SHARES if p == 0 else 1.0 for _, p in self.pairs]
        self.rng = random.Random(recipe.seed + rank())

    def draw_pairs(self, count: int) -> list[tuple[int, int]]:
        """(thing, background) pairs, none of them held out."""
        return self.rng.choices(self.pairs, self.shares, k=count)

    def encode(self, pairs: Sequence[tuple[int, int]], dropped_captions: float) -> torch.Tensor:
        """Renumbered ids (pairs, 77) of a caption for each pair; a share of them is empty."""
        places = tuple(BACKGROUNDS)
        captions = [
            ""
            if self.rng.random() < dropped_captions
            else draw_caption(self.names[thing], places[place], self.rng)
            for thing, place in pairs
        ]
        return self.model.vocabulary.encode(captions)

    def draw(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Renumbered ids (captions, 77) and latents (captions, 4, height, width)."""
        pairs = self.draw_pairs(self.recipe.captions // workers())
        rows, columns = (list(part) for part in zip(*pairs, strict=True))
        return self.encode(pairs, self.recipe.dropped_captions), self.latents[rows, columns]
