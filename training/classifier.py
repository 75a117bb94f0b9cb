"""A judge of generated pictures: a small network that names the thing it sees.

It learns from the data alone, never from generated pictures: things on random colours, moved,
scaled, blurred, noisy and with their colours shifted, at 64×64 pixels. Its accuracy on
augmentations it has not seen bounds every score that it gives.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from training.checkpoint import load_checkpoint, save_checkpoint
from training.pictures import Things, composite

SIZE = 64


def build_classifier(classes: int) -> nn.Sequential:
    """Four strided convolutions and a linear layer: (batch, 3, 64, 64) to (batch, classes)."""
    layers: list[nn.Module] = []
    channels = 3
    for width in (32, 64, 128, 192):
        layers += [
            nn.Conv2d(channels, width, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        ]
        channels = width
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.2), nn.Linear(channels * 16, classes))


def small(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures at the classifier's size."""
    return F.interpolate(pictures, (SIZE, SIZE), mode="area")


def augmented(
    things: Things, rows: torch.Tensor, generator: torch.Generator | None = None
) -> torch.Tensor:
    """Things on random colours and each changed a little, (rows, 3, 64, 64) in [−1, 1]."""
    count = len(rows)

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return torch.rand(count, *shape, generator=generator) * (high - low) + low

    pixels = composite(things.pictures[rows], uniform(0, 1, 3))
    pixels = small(pixels)
    scale, turn = uniform(0.9, 1.2), uniform(-0.12, 0.12)
    maps = torch.zeros(count, 2, 3)
    maps[:, 0, 0] = maps[:, 1, 1] = scale * turn.cos()
    maps[:, 0, 1], maps[:, 1, 0] = -scale * turn.sin(), scale * turn.sin()
    maps[:, :, 2] = uniform(-0.08, 0.08, 2)
    grid = F.affine_grid(maps, list(pixels.shape), align_corners=False)
    pixels = F.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
    pixels = pixels * uniform(0.8, 1.15, 1, 1, 1) + uniform(-0.12, 0.12, 3, 1, 1)
    blurred = F.avg_pool2d(pixels, 3, stride=1, padding=1, count_include_pad=False)
    share = uniform(0, 1, 1, 1, 1)
    noise = torch.randn(pixels.shape, generator=generator) * uniform(0, 0.12, 1, 1, 1)
    return pixels.lerp(blurred, share) + noise


def train_classifier(
    things: Things, path: Path, steps: int = 900, batch_size: int = 64, seed: int = 0
) -> nn.Sequential:
    """The classifier of these things; kept in `path`, and read from there the next time."""
    classifier = build_classifier(len(things.names))
    state = load_checkpoint(path)
    if state is not None:
        classifier.load_state_dict(state["classifier"])
        return classifier.eval()
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(classifier.parameters(), 3e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    for step in range(steps):
        rows = torch.randint(len(things.names), (batch_size,), generator=generator)
        logits = classifier(augmented(things, rows, generator))
        loss = F.cross_entropy(logits, rows, label_smoothing=0.05)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        if step % 100 == 0:
            print(f"classifier {step} loss {float(loss.detach()):.3f}", flush=True)
    classifier.eval()
    save_checkpoint(path, {"classifier": classifier.state_dict()})
    return classifier


@torch.inference_mode()
def classify(classifier: nn.Sequential, pictures: torch.Tensor) -> torch.Tensor:
    """Rows of the likeliest things, (batch,), of pictures (batch, 3, h, w) in [0, 1]."""
    return torch.cat([classifier(small(part) * 2 - 1).argmax(-1) for part in pictures.split(64)])


@torch.inference_mode()
def own_accuracy(classifier: nn.Sequential, things: Things, rounds: int = 4) -> float:
    """Share of fresh augmentations that the classifier names right."""
    generator = torch.Generator().manual_seed(1_000_003)
    rows = torch.arange(len(things.names)).repeat(rounds)
    named = [classifier(augmented(things, part, generator)).argmax(-1) for part in rows.split(64)]
    return float((torch.cat(named) == rows).float().mean())
