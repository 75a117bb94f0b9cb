"""Train the UNet and the text encoder together, to predict velocity in latents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from training.batches import Batch, Batches
from training.budget import Budget, learning_rate_factor
from training.checkpoint import load_checkpoint, save_checkpoint
from training.config import DiffusionRecipe, Recipe
from training.device import autocast
from training.ema import MovingAverage
from training.guided import draw_excess, mislead, see_through
from training.model import Model, build_optimizer
from training.parallel import GradientAverage, rank, workers
from training.schedule import NUM_TRAIN_TIMESTEPS, add_noise, alphas_cumprod

#: How often a step sees each caption.
NOISE_LEVELS = 2
#: How many timesteps lie between a caption's two noise levels, at most.
LARGEST_GAP = 250


def draw_timesteps(
    captions: int, exponent: float, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """A timestep for each caption, spread evenly and then leaning, and one with less noise.

    Both are (captions,).
    """
    strata = torch.arange(captions, device=device) + torch.rand(captions, device=device)
    first = (strata / captions) ** exponent * NUM_TRAIN_TIMESTEPS
    gaps = first.clamp_max(LARGEST_GAP) * torch.rand(captions, device=device) ** 2
    last = NUM_TRAIN_TIMESTEPS - 1
    return first.long().clamp_max(last), (first - gaps).long().clamp_max(last)


def velocity_loss(
    model: Model,
    batch: Batch,
    empty: torch.Tensor,
    recipe: DiffusionRecipe,
    signal: torch.Tensor,
) -> torch.Tensor:
    """Squared error of the velocity, a mean weighted as the batch says, at two noise levels.

    The first shows a true picture under noise; the second, with less noise, shows most of them
    with what guidance puts on top. At both, captions are dropped, for guidance, and are another
    picture's where the noise is low.

    Takes renumbered ids of the `empty` caption (1, 77) and `signal`, the alpha_bar of each timestep
    (1000,).
    """
    input_ids, latents, weights = batch
    prompt_embeds = model.text_encoder(torch.cat([input_ids, empty])).last_hidden_state
    prompt_embeds, nothing = prompt_embeds[:-1], prompt_embeds[-1:].expand_as(prompt_embeds[:-1])
    noise = torch.randn_like(latents)
    first, second = draw_timesteps(len(input_ids), recipe.timestep_exponent, latents.device)

    def told(signal: torch.Tensor) -> torch.Tensor:
        dropped = torch.rand_like(signal) < recipe.dropped_captions
        return torch.where(dropped.view(-1, 1, 1), nothing, mislead(prompt_embeds, signal))

    noisy, velocity = add_noise(latents, noise, signal[first])
    predicted = predict(model, noisy, first, told(signal[first]))
    loss = ((predicted - velocity).square() * weights).mean()
    with torch.no_grad():
        difference = predicted - predict(model, noisy, first, nothing)
    excess = draw_excess(difference, signal[first])

    noisy, velocity = add_noise(latents, noise, signal[second])
    noisy, velocity, excess_weights = see_through(noisy, velocity, excess, signal[second])
    predicted = predict(model, noisy, second, told(signal[second]))
    errors = (predicted - velocity).square() * weights * excess_weights
    return (loss + errors.mean()) / NOISE_LEVELS


def predict(
    model: Model, noisy: torch.Tensor, timesteps: torch.Tensor, prompt_embeds: torch.Tensor
) -> torch.Tensor:
    """The velocity in float32, like `noisy` (batch, 4, height, width).

    `timesteps` are (batch,), `prompt_embeds` (batch, 77, hidden).
    """
    noisy = noisy.contiguous(memory_format=torch.channels_last)
    return model.unet(noisy, timesteps, prompt_embeds).sample.float()


def train_diffusion(
    model: Model,
    batches: Batches,
    recipe: Recipe,
    run: Path,
    resume: bool = False,
    until: float | None = None,
) -> Model:
    """Train for the recipe's minutes, from where run/text.pt left the text encoder.

    Stops earlier if the monotonic clock reaches `until`, and can then be resumed.

    Returns the averaged model, which run/diffusion.pt holds too.
    """
    settings = recipe.diffusion
    networks = model.networks().to(recipe.device)
    model.unet.to(memory_format=torch.channels_last)
    average = MovingAverage(networks, settings.ema_decay)
    optimizer = build_optimizer(networks, model, settings)
    average_gradients = GradientAverage(networks.parameters())
    signal = alphas_cumprod().to(recipe.device)
    spent, step = 0.0, 0
    taught = load_checkpoint(run / "text.pt")
    if taught is not None:
        model.text_encoder.load_state_dict(taught["text_encoder"])
        average.restart()
    state = load_checkpoint(run / "diffusion.pt") if resume else None
    if state is not None:
        networks.load_state_dict(state["networks"])
        average.load_state_dict(state["average"])
        model.table = state["table"].float()
        # A run that begins from exported weights has no moments yet.
        if "optimizer" in state:
            optimizer.load_state_dict(state["optimizer"])
            for group in optimizer.param_groups:
                group["fused"] = True
        spent, step = state["spent"], state["step"]
        batches.rng.seed(recipe.seed + workers() * step + rank())
    torch.manual_seed(recipe.seed + workers() * step + rank())

    def checkpoint() -> None:
        state: dict[str, Any] = {
            "networks": networks.state_dict(),
            "optimizer": optimizer.state_dict(),
            "average": average.state_dict(),
            "table": model.table,
            "spent": budget.spent,
            "step": step,
        }
        save_checkpoint(run / "diffusion.pt", state)

    coming = batches.draw_ahead()
    empty = model.vocabulary.encode([""]).to(recipe.device)

    def loss_of_next() -> torch.Tensor:
        batch = Batch(*(part.to(recipe.device) for part in next(coming)))
        with autocast(recipe):
            return velocity_loss(model, batch, empty, settings, signal)

    if recipe.compile:
        for network in networks:
            network.compile(dynamic=False)
        # Compiled before the budget's clock starts, as in vae.py.
        loss_of_next().backward()
        optimizer.zero_grad()
    budget = Budget(settings.minutes, spent, until)
    mean_loss, seen, saved = torch.zeros((), device=recipe.device), 0, budget.spent
    fraction = budget.fraction
    while fraction < 1 and not budget.is_interrupted:
        for group in optimizer.param_groups:
            group["lr"] = group["base"] * learning_rate_factor(fraction)
        loss = loss_of_next()
        loss.backward()
        fraction = average_gradients(budget.fraction)
        torch.nn.utils.clip_grad_norm_(networks.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        average.update()
        step += 1
        seen += 1
        # Read only when printed: reading waits for the device.
        mean_loss += (loss.detach() - mean_loss) / min(seen, 100)
        if step % 50 == 0 and rank() == 0:
            samples = step * settings.captions * NOISE_LEVELS
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
    model.table = state["table"].float()
    return model, {key: state[key] for key in ("spent", "step")}
