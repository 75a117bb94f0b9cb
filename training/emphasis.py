"""Which latents count most in the loss: those of the thing, rather than of its background.

The mean over a picture asks three times as much of a thing that fills it as of one half as large,
and most of what a small thing's picture asks for is a plain background. A weight that depends on
the place alone, and not on noise or prediction, leaves the least squares where they are: it moves
only what the gradient, and the network's capacity, are spent on.
"""

from __future__ import annotations

import torch

#: The weight of the background, beside that of the thing plus this.
BACKGROUND_WEIGHT = 0.3


def emphasis(latents: torch.Tensor) -> torch.Tensor:
    """Weights (views, 1, height, width) with mean 1 for latents of every view on every background.

    Takes them as (views, backgrounds, channels, height, width). What does not change with the
    background is the thing, and what changes most is the background itself.
    """
    spread = torch.cat(
        [some.float().var(1, correction=0).sum(1, keepdim=True) for some in latents.split(64)]
    )
    # The borders of a picture change even more, as the autoencoder sees nothing beyond them.
    bare = spread.flatten(1).quantile(0.9, 1).median()
    weights = BACKGROUND_WEIGHT + (1 - spread / bare).clamp_min(0)
    return weights / weights.mean((1, 2, 3), keepdim=True)
