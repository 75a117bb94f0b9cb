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


class Batch(NamedTuple):
    """Captions and what they mean.

    `input_ids` are renumbered (captions, 77); `latents` and their `contrast` to what is expected
    without a prompt are (captions, 4, height, width).
    """

    input_ids: torch.Tensor
    latents: torch.Tensor
    contrast: torch.Tensor


def mean_latents(latents: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """Means over the views of latents (views, backgrounds, 4, height, width), by background.

    Of each view, only the backgrounds that are `seen` (views, backgrounds) count; where none is,
    the mean is 0.
    """
    seen = seen.to(latents.device, torch.float32)[:, :, None, None, None]
    return (latents.float() * seen).sum(0) / seen.sum(0).clamp_min(1)


class Batches:
    """Draws captions with their latents, never a held-out pair."""

    def __init__(self, things: Things, latents: torch.Tensor, model: Model, recipe: Recipe):
        self.things, self.latents, self.model = things, latents, model
        self.recipe = recipe.diffusion
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
        seen = torch.zeros(latents.shape[:2], dtype=torch.bool)
        seen[tuple(torch.tensor(self.pairs).T)] = True
        looks = {look: [] for look in map(self.look, self.views)}
        for row, view in enumerate(self.views):
            looks[self.look(view)].append(row)
        self.means = {look: mean_latents(latents[own], seen[own]) for look, own in looks.items()}
        self.mean = torch.stack(list(self.means.values())).mean((0, 1))
        self.cumulative_shares = list(accumulate(self.share(*pair) for pair in self.pairs))
        self.rng = random.Random(recipe.seed + rank())

    def look(self, view: View) -> tuple[str, str]:
        """The style and the place of a view."""
        return self.things.drawn[view.picture][1], view.place

    def share(self, row: int, background: int) -> float:
        """How often a view on a background is drawn, beside the others."""
        view = self.views[row]
        _, style = self.things.drawn[view.picture]
        return (
            (DEFAULT_BACKGROUND_SHARES if background == 0 else 1.0)
            * (1.0 if view.place == CENTRED else NAMED_PLACE_SHARE)
            * (1.0 if style == DEFAULT_STYLE else NAMED_STYLE_SHARE)
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

    def encode(self, pairs: Sequence[tuple[int, int]], dropped_captions: float) -> torch.Tensor:
        """Renumbered ids (pairs, 77) of a caption for each pair; a share of them is empty."""
        captions = [
            "" if self.rng.random() < dropped_captions else self.caption(*pair) for pair in pairs
        ]
        return self.model.vocabulary.encode(captions)

    def expected(self, pairs: Sequence[tuple[int, int]]) -> torch.Tensor:
        """What pairs may look like to who does not know the thing (pairs, 4, height, width).

        Something between the mean of everything, which is all that pure noise permits, and the
        mean of the things in the same style, place and background.
        """
        alike = torch.stack(
            [self.means[self.look(self.views[row])][column] for row, column in pairs]
        )
        known = torch.tensor([self.rng.random() for _ in pairs], device=alike.device)
        return self.mean.lerp(alike, known.view(-1, 1, 1, 1))

    def draw(self) -> Batch:
        """A batch of the recipe's captions, shared among the workers."""
        pairs = self.draw_pairs(self.recipe.captions // workers())
        rows, columns = (list(part) for part in zip(*pairs, strict=True))
        latents = self.latents[rows, columns].float()
        input_ids = self.encode(pairs, self.recipe.dropped_captions)
        return Batch(input_ids, latents, latents - self.expected(pairs))

    def draw_ahead(self) -> Iterator[Batch]:
        """Batches as `draw` gives them, each made while the one before it is trained on."""
        with ThreadPoolExecutor(1) as pool:
            coming = pool.submit(self.draw)
            while True:
                batch = coming.result()
                coming = pool.submit(self.draw)
                yield batch
