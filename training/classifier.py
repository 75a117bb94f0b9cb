"""A judge of generated pictures: a small network that names the thing it sees.

It learns from the data alone, never from generated pictures: things in every style and place on
random colours, moved, scaled, blurred, noisy and with their colours shifted, at 64×64 pixels. Its
accuracy on augmentations it has not seen bounds every score that it gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from training.checkpoint import load_checkpoint, save_checkpoint
from training.config import ClassifierRecipe, Recipe
from training.pictures import Things, View, composite, fingerprint, place_pictures, views

SIZE = 64


def build_classifier(classes: int, recipe: ClassifierRecipe) -> nn.Sequential:
    """Convolutions at four sizes and a linear layer: (batch, 3, 64, 64) to (batch, classes)."""
    layers: list[nn.Module] = []
    channels = 3
    for width in recipe.channels:
        for number in range(recipe.convolutions):
            stride = 1 if number else 2
            layers += [
                nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
            channels = width
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.2), nn.Linear(channels * 16, classes))


def small(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures at the classifier's size."""
    return F.interpolate(pictures, (SIZE, SIZE), mode="area")


def augmented(things: Things, chosen: Sequence[View], generator: torch.Generator) -> torch.Tensor:
    """Views on random colours and each changed a little, (views, 3, 64, 64) in [−1, 1]."""
    count, device = len(chosen), generator.device

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        drawn = torch.rand(count, *shape, generator=generator, device=device)
        return drawn * (high - low) + low

    pixels = composite(place_pictures(things, chosen), uniform(0, 1, 3))
    pixels = small(pixels)
    scale, turn = uniform(0.9, 1.2), uniform(-0.12, 0.12)
    maps = torch.zeros(count, 2, 3, device=device)
    maps[:, 0, 0] = maps[:, 1, 1] = scale * turn.cos()
    maps[:, 0, 1], maps[:, 1, 0] = -scale * turn.sin(), scale * turn.sin()
    maps[:, :, 2] = uniform(-0.08, 0.08, 2)
    grid = F.affine_grid(maps, list(pixels.shape), align_corners=False)
    pixels = F.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
    pixels = pixels * uniform(0.8, 1.15, 1, 1, 1) + uniform(-0.12, 0.12, 3, 1, 1)
    blurred = F.avg_pool2d(pixels, 3, stride=1, padding=1, count_include_pad=False)
    share = uniform(0, 1, 1, 1, 1)
    noise = torch.randn(pixels.shape, generator=generator, device=device)
    return pixels.lerp(blurred, share) + noise * uniform(0, 0.12, 1, 1, 1)


def train_classifier(things: Things, recipe: Recipe, path: Path) -> nn.Sequential:
    """The classifier of these things.

    It is kept in `path`, and read from there the next time that the same one is asked for.
    """
    settings, device = recipe.classifier, things.pictures.device
    torch.manual_seed(recipe.seed)
    classifier = build_classifier(len(things.names), settings).to(device)
    learnt = f"{fingerprint(things, recipe.places)} {settings}"
    state = load_checkpoint(path)
    if state is not None and state.get("learnt") == learnt:
        classifier.load_state_dict(state["classifier"])
        return classifier.eval()
    every = views(things, recipe.places)
    generator = torch.Generator(device).manual_seed(recipe.seed)
    optimizer = torch.optim.AdamW(
        classifier.parameters(), settings.learning_rate, weight_decay=0.02
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, total_steps=settings.steps
    )
    for step in range(settings.steps):
        rows = torch.randint(
            len(every), (settings.batch_size,), generator=generator, device=device
        ).tolist()
        chosen = [every[row] for row in rows]
        answers = torch.tensor([things.drawn[view.picture][0] for view in chosen], device=device)
        logits = classifier(augmented(things, chosen, generator))
        loss = F.cross_entropy(logits, answers, label_smoothing=0.05)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        if step % 100 == 0:
            print(f"classifier {step} loss {float(loss.detach()):.3f}", flush=True)
    classifier.eval()
    save_checkpoint(path, {"classifier": classifier.state_dict(), "learnt": learnt})
    return classifier


@torch.inference_mode()
def classify(classifier: nn.Sequential, pictures: torch.Tensor) -> torch.Tensor:
    """Rows of the likeliest things, (batch,), of pictures (batch, 3, h, w) in [0, 1]."""
    device = next(classifier.parameters()).device
    named = [
        classifier(small(part.to(device)) * 2 - 1).argmax(-1).cpu() for part in pictures.split(64)
    ]
    return torch.cat(named)


@torch.inference_mode()
def own_accuracy(
    classifier: nn.Sequential, things: Things, recipe: Recipe, rounds: int = 4
) -> float:
    """Share of fresh augmentations that the classifier names right."""
    generator = torch.Generator(things.pictures.device).manual_seed(1_000_003)
    every = views(things, recipe.places)
    pictures, places = len(things.drawn), len(recipe.places)
    chosen = [
        every[picture * places + (picture + turn) % places]
        for turn in range(rounds)
        for picture in range(pictures)
    ]
    right = 0
    for start in range(0, len(chosen), 64):
        part = chosen[start : start + 64]
        named = classifier(augmented(things, part, generator)).argmax(-1).tolist()
        right += sum(n == things.drawn[v.picture][0] for n, v in zip(named, part, strict=True))
    return right / len(chosen)
