"""Train the AutoencoderKL: pictures to latents (4, height/8, width/8) and back.

The loss is L1 on pixels, L1 on their differences to the right and below (what keeps edges
crisp), and a little KL divergence that keeps the latents smooth (Rombach et al. 2022, §3.1,
without the discriminator).
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL

from training.budget import Budget, learning_rate_factor
from training.checkpoint import load_checkpoint, save_checkpoint
from training.config import Recipe, VAERecipe
from training.device import autocast
from training.ema import MovingAverage
from training.parallel import average_gradients, rank, workers
from training.pictures import Things, background_colours, composite


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


def draw_pictures(things: Things, recipe: VAERecipe, generator: torch.Generator) -> torch.Tensor:
    """A training batch: crops, or now and then whole pictures, on named and random colours."""
    whole = float(torch.rand((), generator=generator)) < recipe.whole_pictures
    size = things.pictures.shape[-1] if whole else recipe.crop_size
    count = recipe.batch_size // workers()
    count = max(count // 4, 1) if whole else count
    rows = torch.randint(len(things.names), (count,), generator=generator)
    corners = torch.randint(things.pictures.shape[-1] - size + 1, (count, 2), generator=generator)
    crops = torch.stack(
        [
            things.pictures[row, :, top : top + size, left : left + size]
            for row, (top, left) in zip(rows.tolist(), corners.tolist(), strict=True)
        ]
    )
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


def train_vae(things: Things, recipe: Recipe, run: Path, resume: bool = False) -> AutoencoderKL:
    """Train for the recipe's minutes; returns the averaged weights, also in run/vae.pt."""
    settings = recipe.vae
    torch.manual_seed(recipe.seed)
    vae = build_vae(settings, things.pictures.shape[-1])
    vae = vae.to(recipe.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = MovingAverage(vae, settings.ema_decay)
    optimizer = torch.optim.AdamW(vae.parameters(), settings.learning_rate, (0.9, 0.99))
    generator = torch.Generator().manual_seed(recipe.seed + rank())
    budget, step = Budget(settings.minutes), 0
    state = load_checkpoint(run / "vae.pt") if resume else None
    if state is not None:
        vae.load_state_dict(state["vae"])
        average.load_state_dict(state["average"])
        if "optimizer" in state:
            optimizer.load_state_dict(state["optimizer"])
        budget, step = Budget(settings.minutes, state["spent"]), state["step"]
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

    loss_of = torch.compile(vae_loss) if recipe.compile else vae_loss
    mean_loss, seen, saved = 0.0, 0, budget.spent
    fraction = budget.fraction
    while fraction < 1:
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * learning_rate_factor(fraction)
        pictures = draw_pictures(things, settings, generator)
        pictures = pictures.to(recipe.device, memory_format=torch.channels_last)
        with autocast(recipe):
            loss = loss_of(vae, pictures, settings)
        loss.backward()
        fraction = average_gradients(vae.parameters(), budget.fraction)
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        average.update()
        step += 1
        seen += 1
        mean_loss += (float(loss.detach()) - mean_loss) / min(seen, 100)
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
