"""What a training step sees: captions with their latents."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from typing import NamedTuple

import torch

from training.captions import draw_caption, held_out_pairs
from training.config import Recipe
from training.emphasis import emphasis
from training.model import Model
from training.parallel import rank, workers
from training.pictures import BACKGROUNDS, Things, views
from training.places import CENTRED
from training.styles import DEFAULT_STYLE
from training.words import words_for

#: The background that a caption without a background phrase has gets this many shares.
DEFAULT_BACKGROUND_SHARES = 2.5
#: The share of a place that a caption has to name: what is learnt in one serves in the others.
NAMED_PLACE_SHARE = 0.25
#: The share of a style that a caption has to name.
NAMED_STYLE_SHARE = 0.7
#: How often a thing is drawn that the weights a run begins from do not know, beside one they do.
NEW_SHARE = 2.5


class Batch(NamedTuple):
    """Captions, renumbered (captions, 77), their latents (captions, 4, height, width) and weights.

    The weights, (captions, 1, height, width), have a mean of 1 in each.
    """

    input_ids: torch.Tensor
    latents: torch.Tensor
    weights: torch.Tensor


class Batches:
    """Draws captions with their latents, never a held-out pair."""

    def __init__(self, things: Things, latents: torch.Tensor, model: Model, recipe: Recipe):
        self.things, self.latents, self.model = things, latents, model
        self.emphasis = emphasis(latents)
        self.recipe, self.known = recipe.diffusion, recipe.known
        self.words = words_for(things, recipe.tags, recipe.seed).spoken
        self.views = views(things, recipe.places)
        backgrounds = tuple(BACKGROUNDS)
        held_out = held_out_pairs(len(things.drawn), backgrounds, recipe.held_out, recipe.seed)
        self.pairs = [
            (row, background)
            for row, view in enumerate(self.views)
            for background in range(len(backgrounds))
            if (view.picture, background) not in held_out
        ]
        self.cumulative_shares = list(accumulate(self.share(*pair) for pair in self.pairs))
        self.rng = random.Random(recipe.seed + rank())

    def share(self, row: int, background: int) -> float:
        """How often a view on a background is drawn, beside the others."""
        view = self.views[row]
        thing, style = self.things.drawn[view.picture]
        return (
            (DEFAULT_BACKGROUND_SHARES if background == 0 else 1.0)
            * (1.0 if view.place == CENTRED else NAMED_PLACE_SHARE)
            * (1.0 if style == DEFAULT_STYLE else NAMED_STYLE_SHARE)
            * (1.0 if thing < self.known else NEW_SHARE)
        )

    def draw_pairs(self, count: int) -> list[tuple[int, int]]:
        """(view, background) pairs, none of them held out."""
        return self.rng.choices(self.pairs, cum_weights=self.cumulative_shares, k=count)

    def caption(self, row: int, background: int) -> str:
        """A caption for a view on a background."""
        view = self.views[row]
        thing, style = self.things.drawn[view.picture]
        named = tuple(BACKGROUNDS)[background]
        return draw_caption(self.words[thing], named, self.rng, style, view.place)

    def encode(self, pairs: Sequence[tuple[int, int]]) -> torch.Tensor:
        """Renumbered ids (pairs, 77) of a caption for each pair."""
        return self.model.vocabulary.encode([self.caption(*pair) for pair in pairs])

    def draw(self) -> Batch:
        """The next captions."""
        pairs = self.draw_pairs(self.recipe.captions // workers())
        rows, columns = (list(part) for part in zip(*pairs, strict=True))
        latents = self.latents[rows, columns].float()
        return Batch(self.encode(pairs), latents, self.emphasis[rows])

    def draw_ahead(self) -> Iterator[Batch]:
        """Batches as `draw` gives them, each made while the one before it is trained on."""
        with ThreadPoolExecutor(1) as pool:
            coming = pool.submit(self.draw)
            while True:
                batch = coming.result()
                coming = pool.submit(self.draw)
                yield batch
