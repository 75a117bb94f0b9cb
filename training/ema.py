"""An exponential moving average of weights: what is evaluated and exported."""

from __future__ import annotations

import torch
from torch import nn


class MovingAverage:
    """Follows a module's parameters with a decay that warms up from nothing."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.source = list(module.parameters())
        self.values = [parameter.detach().clone() for parameter in self.source]

    @torch.no_grad()
    def update(self) -> None:
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(self.values, [p.detach() for p in self.source], 1 - decay)

    @torch.no_grad()
    def restart(self) -> None:
        """Begin again from the module's present weights."""
        self.updates = 0
        for value, parameter in zip(self.values, self.source, strict=True):
            value.copy_(parameter)

    @torch.no_grad()
    def copy_to(self, module: nn.Module) -> None:
        """Write the averaged weights into a module of the same shape."""
        for parameter, value in zip(module.parameters(), self.values, strict=True):
            parameter.copy_(value)

    def state_dict(self) -> dict[str, object]:
        return {"updates": self.updates, "values": self.values}

    def load_state_dict(self, state: dict[str, object]) -> None:
        self.updates = int(state["updates"])  # type: ignore[call-overload]
        for value, saved in zip(self.values, state["values"], strict=True):  # type: ignore[call-overload]
            value.copy_(saved)
