"""Train the UNet and the text encoder together, to predict velocity in latents."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from training.budget import Budget, learning_rate_factor
from training.captions import caption_words, draw_caption, held_out_pairs
from training.checkpoint import load_checkpoint, save_checkpoint
from training.config import DATA, DiffusionRecipe, Recipe
from training.device import autocast
from training.ema import MovingAverage
from training.parallel import average_gradients, rank, workers
from training.pictures import BACKGROUNDS, Things
from training.schedule import NUM_TRAIN_TIMESTEPS, add_noise, alphas_cumprod
from training.text_encoder import TOKEN_STD, Vocabulary, build_text_encoder
from training.word_vectors import project

#: The background that a caption without a background phrase has gets this many shares.
DEFAULT_BACKGROUND_SHARES = 2.5


def build_unet(recipe: DiffusionRecipe, sample_size: int = 16) -> UNet2DConditionModel:
    """An untrained UNet: plain convolutions at full size, cross-attention at the halved ones."""
    below = len(recipe.block_out_channels) - 1
    return UNet2DConditionModel(
        sample_size=sample_size,
        in_channels=4,
        out_channels=4,
        down_block_types=("DownBlock2D", *["CrossAttnDownBlock2D"] * below),
        up_block_types=(*["CrossAttnUpBlock2D"] * below, "UpBlock2D"),
        block_out_channels=recipe.block_out_channels,
        layers_per_block=recipe.layers_per_block,
        # diffusers reads this as the number of heads, as Stable Diffusion 1.5's file has it.
        attention_head_dim=recipe.attention_heads,
        norm_num_groups=recipe.norm_num_groups,
        cross_attention_dim=recipe.text_hidden_size,
    )


@dataclass
class Model:
    """What is trained here: both networks, and the vocabulary between text and ids."""

    unet: UNet2DConditionModel
    text_encoder: CLIPTextModel
    vocabulary: Vocabulary
    #: Where all tokens start, (49408, hidden).
    table: torch.Tensor

    def networks(self) -> torch.nn.ModuleList:
        """Both networks as one module, in a fixed order."""
        return torch.nn.ModuleList([self.unet, self.text_encoder])


def build_model(things: Things, recipe: Recipe, data: Path = DATA, sample_size: int = 16) -> Model:
    """Untrained networks for these things, from what training.prepare wrote."""
    torch.manual_seed(recipe.seed)
    tokenizer = CLIPTokenizer.from_pretrained(data / "tokenizer")
    vocabulary = Vocabulary(tokenizer, ["", *caption_words(things.names)])
    with np.load(data / "word_vectors.npz") as arrays:
        table = project(arrays["vectors"], recipe.diffusion.text_hidden_size, TOKEN_STD)
    text_encoder = build_text_encoder(recipe.diffusion, vocabulary, table)
    return Model(build_unet(recipe.diffusion, sample_size), text_encoder, vocabulary, table)


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

    def draw(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Renumbered ids (captions, 77) and latents (captions, 4, height, width)."""
        places = tuple(BACKGROUNDS)
        pairs = self.rng.choices(self.pairs, self.shares, k=self.recipe.captions // workers())
        captions = [
            ""
            if self.rng.random() < self.recipe.dropped_captions
            else draw_caption(self.names[thing], places[place], self.rng)
            for thing, place in pairs
        ]
        rows, columns = zip(*pairs, strict=True)
        return self.model.vocabulary.encode(captions), self.latents[list(rows), list(columns)]


def draw_timesteps(captions: int, levels: int, exponent: float) -> torch.Tensor:
    """Timesteps (captions × levels,), spread evenly within each caption, then leaning."""
    strata = ((torch.arange(levels) + torch.rand(captions, levels)) / levels) ** exponent
    return (strata * NUM_TRAIN_TIMESTEPS).long().clamp_max(NUM_TRAIN_TIMESTEPS - 1).flatten()


def velocity_loss(
    model: Model,
    input_ids: torch.Tensor,
    latents: torch.Tensor,
    recipe: DiffusionRecipe,
    signal: torch.Tensor,
) -> torch.Tensor:
    """Mean squared error of the velocity, each caption seen at several noise levels.

    Takes renumbered `input_ids` (captions, 77), scaled `latents` (captions, 4, height, width) and
    `signal`, the alpha_bar of each timestep (1000,).
    """
    levels = recipe.noise_levels
    prompt_embeds = model.text_encoder(input_ids).last_hidden_state
    prompt_embeds = prompt_embeds.repeat_interleave(levels, dim=0)
    latents = latents.repeat_interleave(levels, dim=0)
    timesteps = draw_timesteps(len(input_ids), levels, recipe.timestep_exponent)
    timesteps = timesteps.to(latents.device)
    noisy, velocity = add_noise(latents, torch.randn_like(latents), signal[timesteps])
    noisy = noisy.to(memory_format=torch.channels_last)
    predicted = model.unet(noisy, timesteps, prompt_embeds).sample
    return F.mse_loss(predicted.float(), velocity)


def build_optimizer(model: Model, recipe: DiffusionRecipe) -> torch.optim.AdamW:
    """AdamW with the token rows at a rate of their own."""
    tokens = model.text_encoder.embeddings.token_embedding.weight
    others = [p for p in model.networks().parameters() if p is not tokens]
    return torch.optim.AdamW(
        [
            {"params": others, "base": recipe.learning_rate},
            {"params": [tokens], "base": recipe.token_learning_rate, "weight_decay": 0.0},
        ],
        lr=recipe.learning_rate,
        betas=(0.9, 0.98),
        weight_decay=recipe.weight_decay,
    )


def train_diffusion(
    things: Things,
    latents: torch.Tensor,
    model: Model,
    recipe: Recipe,
    run: Path,
    resume: bool = False,
) -> Model:
    """Train for the recipe's minutes on scaled latents (things, backgrounds, 4, height, width).

    Returns the averaged model, which run/diffusion.pt holds too.
    """
    settings = recipe.diffusion
    networks = model.networks().to(recipe.device)
    model.unet.to(memory_format=torch.channels_last)
    average = MovingAverage(networks, settings.ema_decay)
    optimizer = build_optimizer(model, settings)
    batches = Batches(things, latents, model, recipe)
    signal = alphas_cumprod().to(recipe.device)
    budget, step = Budget(settings.minutes), 0
    state = load_checkpoint(run / "diffusion.pt") if resume else None
    if state is not None:
        networks.load_state_dict(state["networks"])
        optimizer.load_state_dict(state["optimizer"])
        average.load_state_dict(state["average"])
        budget, step = Budget(settings.minutes, state["spent"]), state["step"]
        batches.rng.seed(recipe.seed + workers() * step + rank())
    torch.manual_seed(recipe.seed + workers() * step + rank())

    def checkpoint() -> None:
        state: dict[str, Any] = {
            "networks": networks.state_dict(),
            "optimizer": optimizer.state_dict(),
            "average": average.state_dict(),
            "spent": budget.spent,
            "step": step,
        }
        save_checkpoint(run / "diffusion.pt", state)

    loss_of = torch.compile(velocity_loss) if recipe.compile else velocity_loss
    mean_loss, seen, saved = 0.0, 0, budget.spent
    fraction = budget.fraction
    while fraction < 1:
        for group in optimizer.param_groups:
            group["lr"] = group["base"] * learning_rate_factor(fraction)
        input_ids, targets = (part.to(recipe.device) for part in batches.draw())
        with autocast(recipe):
            loss = loss_of(model, input_ids, targets, settings, signal)
        loss.backward()
        fraction = average_gradients(networks.parameters(), budget.fraction)
        torch.nn.utils.clip_grad_norm_(networks.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        average.update()
        step += 1
        seen += 1
        mean_loss += (float(loss.detach()) - mean_loss) / min(seen, 100)
        if step % 50 == 0 and rank() == 0:
            samples = step * settings.captions * settings.noise_levels
            report = f"diffusion {samples} samples {budget.spent:.1f} min loss {mean_loss:.4f}"
            print(report, flush=True)
        if rank() == 0 and budget.spent - saved > recipe.checkpoint_minutes:
            checkpoint()
            saved = budget.spent
    if rank() == 0:
        checkpoint()
    average.copy_to(networks)
    networks.eval()
    return model


def load_trained_model(model: Model, recipe: Recipe, run: Path) -> tuple[Model, dict[str, Any]]:
    """Fill `model` with the averaged weights of a run; also its checkpoint's other facts."""
    state = load_checkpoint(run / "diffusion.pt")
    if state is None:
        raise FileNotFoundError(f"{run / 'diffusion.pt'} is missing: train the diffusion first")
    networks = model.networks()
    average = MovingAverage(networks, recipe.diffusion.ema_decay)
    average.load_state_dict(state["average"])
    average.copy_to(networks)
    networks.eval()
    return model, {key: state[key] for key in ("spent", "step")}
