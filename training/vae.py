"""Train the AutoencoderKL: pictures to latents (4, height/8, width/8) and back.

The loss is L1 on pixels, L1 on their differences to the right and below (what keeps edges
crisp), and a little KL divergence that keeps the latents smooth (Rombach et al. 2022, §3.1,
without the discriminator).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL

from training.budget import Budget, learning_rate_factor
from training.checkpoint import load_checkpoint, save_checkpoint
from training.config import Recipe, VAERecipe
from training.device import autocast
from training.ema import MovingAverage
from training.parallel import GradientAverage, rank, workers
from training.pictures import Things, View, background_colours, composite, place_pictures, views


def build_vae(recipe: VAERecipe, sample_size: int = 128) -> AutoencoderKL:
    """An untrained autoencoder with four blocks, so a factor of eight."""
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=recipe.block_out_channels,
        layers_per_block=recipe.layers_per_block,
        latent_channels=4,
        norm_num_groups=recipe.norm_num_groups,
        mid_block_add_attention=False,
        sample_size=sample_size,
    )


def crop(pictures: torch.Tensor, corners: torch.Tensor, size: int) -> torch.Tensor:
    """A square of each picture (batch, 4, height, width), from its corner (batch, 2) on."""
    corners = corners.to(pictures.device)
    along = torch.arange(size, device=pictures.device)
    rows = (corners[:, :1] + along)[:, :, None]
    columns = (corners[:, 1:] + along)[:, None, :]
    batch = torch.arange(len(pictures), device=pictures.device)[:, None, None]
    return pictures.permute(0, 2, 3, 1)[batch, rows, columns].permute(0, 3, 1, 2).contiguous()


def draw_pictures(
    things: Things,
    every: Sequence[View],
    recipe: VAERecipe,
    generator: torch.Generator,
    whole: bool | None = None,
) -> torch.Tensor:
    """A training batch of some of the views, on named and random colours.

    It holds crops, or now and then whole pictures, unless `whole` says which.
    """
    chance = float(torch.rand((), generator=generator))
    whole = chance < recipe.whole_pictures if whole is None else whole
    size = things.pictures.shape[-1] if whole else recipe.crop_size
    count = recipe.batch_size // workers()
    count = max(count // 4, 1) if whole else count
    rows = torch.randint(len(every), (count,), generator=generator)
    corners = torch.randint(things.pictures.shape[-1] - size + 1, (count, 2), generator=generator)
    pictures = place_pictures(things, [every[row] for row in rows.tolist()])
    crops = crop(pictures, corners, size)
    mirrored = torch.rand(count, generator=generator) < 0.3
    crops[mirrored] = crops[mirrored].flip(-1)
    named = background_colours()
    colours = named[torch.randint(len(named), (count,), generator=generator)]
    random = torch.rand(count, generator=generator) < 0.3
    colours[random] = torch.rand((int(random.sum()), 3), generator=generator)
    return composite(crops, colours)


def edges(pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Differences of neighbouring pixels, to the right and below."""
    return pictures.diff(dim=-1), pictures.diff(dim=-2)


def vae_loss(vae: AutoencoderKL, pictures: torch.Tensor, recipe: VAERecipe) -> torch.Tensor:
    """The training loss of a batch (batch, 3, height, width) in [−1, 1]."""
    posterior = vae.encode(pictures).latent_dist
    reconstructed = vae.decode(posterior.sample()).sample
    loss = F.l1_loss(reconstructed, pictures)
    for drawn, true in zip(edges(reconstructed), edges(pictures), strict=True):
        loss = loss + recipe.edge_weight * F.l1_loss(drawn, true)
    kl = posterior.kl().mean() / posterior.mean[0].numel()
    return loss + recipe.kl_weight * kl


def train_vae(
    things: Things,
    recipe: Recipe,
    run: Path,
    resume: bool = False,
    until: float | None = None,
) -> AutoencoderKL:
    """Train for the recipe's minutes, or `until` a time of the monotonic clock.

    Returns the averaged weights, which run/vae.pt holds too.
    """
    settings = recipe.vae
    things = things.to(recipe.device)
    every = views(things, recipe.places)
    torch.manual_seed(recipe.seed)
    vae = build_vae(settings, things.pictures.shape[-1])
    vae = vae.to(recipe.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = MovingAverage(vae, settings.ema_decay)
    optimizer = torch.optim.AdamW(vae.parameters(), settings.learning_rate, (0.9, 0.99))
    average_gradients = GradientAverage(vae.parameters())
    generator = torch.Generator().manual_seed(recipe.seed + rank())
    spent, step = 0.0, 0
    state = load_checkpoint(run / "vae.pt") if resume else None
    if state is not None:
        vae.load_state_dict(state["vae"])
        average.load_state_dict(state["average"])
        if "optimizer" in state:
            optimizer.load_state_dict(state["optimizer"])
        spent, step = state["spent"], state["step"]
        generator.manual_seed(recipe.seed + workers() * step + rank())

    def checkpoint() -> None:
        save_checkpoint(
            run / "vae.pt",
            {
                "vae": vae.state_dict(),
                "optimizer": optimizer.state_dict(),
                "average": average.state_dict(),
                "spent": budget.spent,
                "step": step,
            },
        )

    loss_of = vae_loss
    if recipe.compile:
        loss_of = torch.compile(vae_loss, dynamic=False)
        # Both sizes are compiled before the budget's clock starts, so that its first hundredth
        # is a warm-up of the learning rate.
        for whole in (False, True):
            pictures = draw_pictures(things, every, settings, generator, whole)
            with autocast(recipe):
                loss = loss_of(vae, pictures.to(memory_format=torch.channels_last), settings)
            loss.backward()
        optimizer.zero_grad()
    budget = Budget(settings.minutes, spent, until)
    mean_loss, seen, saved = torch.zeros((), device=recipe.device), 0, budget.spent
    fraction = budget.fraction
    while fraction < 1 and not budget.is_interrupted:
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * learning_rate_factor(fraction)
        pictures = draw_pictures(things, every, settings, generator)
        pictures = pictures.to(memory_format=torch.channels_last)
        with autocast(recipe):
            loss = loss_of(vae, pictures, settings)
        loss.backward()
        fraction = average_gradients(budget.fraction)
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        average.update()
        step += 1
        seen += 1
        # Read only when printed: reading waits for the device.
        mean_loss += (loss.detach().float() - mean_loss) / min(seen, 100)
        if step % 100 == 0 and rank() == 0:
            print(f"vae {step} {budget.spent:.1f} min loss {mean_loss:.4f}", flush=True)
        if rank() == 0 and budget.spent - saved > recipe.checkpoint_minutes:
            checkpoint()
            saved = budget.spent
    if rank() == 0:
        checkpoint()
    average.copy_to(vae)
    return vae.eval()


def load_trained_vae(recipe: Recipe, run: Path, sample_size: int = 128) -> AutoencoderKL:
    """The averaged autoencoder of a run, finished or not."""
    state = load_checkpoint(run / "vae.pt")
    if state is None:
        raise FileNotFoundError(f"{run / 'vae.pt'} is missing: train the autoencoder first")
    vae = build_vae(recipe.vae, sample_size)
    average = MovingAverage(vae, recipe.vae.ema_decay)
    average.load_state_dict(state["average"])
    average.copy_to(vae)
    return vae.eval()
