"""How long the engine waits before it does something by itself."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

from sdtui.errors import EngineError


@dataclass(frozen=True, kw_only=True)
class Patience:
    """All in seconds.

    A worker without work ends after `idle_unload`, and with it the model's hold on the device; an
    engine without clients and work ends after `idle_exit`. `hang` is how long a worker may draw
    without computing anything, and `cancel` how long, at least, it may take to heed a
    cancellation. The engine looks at its worker every `worker_look`, whether clients can find it
    every `socket_look`, at the length of its log every `log_look`, and for room on a full disk
    every `disk_look`.
    """

    idle_unload: float = 5 * 60.0
    idle_exit: float = 15 * 60.0
    hang: float = 60.0
    cancel: float = 30.0
    worker_look: float = 1.0
    socket_look: float = 10.0
    log_look: float = 60.0
    disk_look: float = 3.0

    @classmethod
    def from_environment(cls) -> Patience:
        """With `SDTUI_IDLE_UNLOAD` and `SDTUI_IDLE_EXIT`; `EngineError` if one is no time."""
        default = cls()
        return cls(
            idle_unload=_seconds("SDTUI_IDLE_UNLOAD", default.idle_unload),
            idle_exit=_seconds("SDTUI_IDLE_EXIT", default.idle_exit),
        )


def _seconds(name: str, default: float) -> float:
    text = os.environ.get(name, "")
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise EngineError(
            f"{name} is no time", f"It is {text!r}.", "Give a number of seconds, for example 300."
        )
    return seconds
