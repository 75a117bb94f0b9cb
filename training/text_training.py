"""Teach the text encoder what its captions look like, before a UNet listens to it.

The velocity loss alone teaches it slowly: the gradient passes through a UNet that has not learned
to listen. So it first learns to say its picture's code, the leading principal components of the
latents, in the mean of a caption's embeddings from the end token on. That costs a twentieth of
what a UNet's step does.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from training.batches import Batches
from training.checkpoint import save_checkpoint
from training.config import Recipe
from training.model import Model, build_optimizer
from training.parallel import GradientAverage, rank, workers


@dataclass(frozen=True)
class PictureCodes:
    """What pictures look like in a few numbers.

    `codes` (views, backgrounds, size) have unit spread; `weights` (size,) sum to one and give
    back part of each component's importance.
    """

    codes: torch.Tensor
    weights: torch.Tensor


def picture_codes(latents: torch.Tensor, size: int) -> PictureCodes:
    """Codes of latents (views, backgrounds, channels, height, width)."""
    flat = latents.float().flatten(2).flatten(0, 1)
    flat = flat - flat.mean(0)
    size = min(size, *flat.shape)
    _, basis = torch.linalg.eigh(flat.T @ flat)
    projected = flat @ basis.flip(-1)[:, :size]
    spread = projected.std(0).clamp_min(1e-6)
    codes = (projected / spread).view(*latents.shape[:2], size)
    return PictureCodes(codes, spread / spread.sum())


def said(prompt_embeds: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
    """Mean embeddings from each end token on: (captions, 77, hidden) to (captions, hidden)."""
    positions = torch.arange(prompt_embeds.shape[1], device=prompt_embeds.device)
    after = (positions >= ends[:, None]).to(prompt_embeds).unsqueeze(-1)
    return (prompt_embeds * after).sum(1) / after.sum(1)


def train_text(
    latents: torch.Tensor, model: Model, batches: Batches, recipe: Recipe, run: Path
) -> None:
    """Train `model.text_encoder` for the recipe's steps, and keep it in run/text.pt."""
    settings = recipe.diffusion
    text_encoder = model.text_encoder.to(recipe.device)
    targets = picture_codes(latents, settings.text_hidden_size)
    weights = targets.weights.to(recipe.device)
    optimizer = build_optimizer(text_encoder, model, settings)
    average_gradients = GradientAverage(text_encoder.parameters())
    count = settings.text_captions // workers()
    for step in range(settings.text_steps):
        for group in optimizer.param_groups:
            rise, fall = min(1.0, (step + 1) / 30), 1 - step / settings.text_steps
            group["lr"] = 2 * group["base"] * rise * fall
        pairs = batches.draw_pairs(count)
        input_ids = batches.encode(pairs).to(recipe.device)
        rows, columns = (list(part) for part in zip(*pairs, strict=True))
        codes = targets.codes[rows, columns].to(recipe.device)
        means = said(text_encoder(input_ids).last_hidden_state, model.vocabulary.ends(input_ids))
        loss = ((means[:, : codes.shape[-1]] - codes).square() * weights).sum(-1).mean()
        loss.backward()
        average_gradients()
        torch.nn.utils.clip_grad_norm_(text_encoder.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if step % 50 == 0 and rank() == 0:
            print(f"text {step} loss {float(loss.detach()):.4f}", flush=True)
    if rank() == 0:
        save_checkpoint(run / "text.pt", {"text_encoder": text_encoder.state_dict()})
