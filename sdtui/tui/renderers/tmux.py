"""What goes to the terminal outside tmux, and what that is."""

from __future__ import annotations

import subprocess

_SECONDS = 2


def through_tmux(sequence: str) -> str:
    """A sequence that tmux hands on as it is, if `allow-passthrough` is on there."""
    doubled = sequence.replace("\x1b", "\x1b\x1b")
    return f"\x1bPtmux;{doubled}\x1b\\"


def outer_terminal() -> str:
    """The name of the terminal that tmux runs in, as it told tmux; nothing where tmux is older."""
    command = ["tmux", "display-message", "-p", "#{client_termtype}"]
    try:
        told = subprocess.run(
            command, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return told.stdout.strip()
