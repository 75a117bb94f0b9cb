"""What the terminal at hand can carry, from its environment alone; nothing is asked of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from sdtui.errors import TerminalError
from sdtui.text import clean


def lacking_terminal() -> str:
    """Why nothing but plain text can be shown here; empty where a full-screen interface can run."""
    term = os.environ.get("TERM", "")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return "Its input or output is not a terminal."
    if term in ("", "dumb", "unknown"):
        return f"TERM is {clean(term)!r}." if term else "TERM is not set."
    return ""


def require_terminal() -> None:
    """Raise `TerminalError` unless a full-screen interface can run here.

    Textual sends full-screen codes into a pipe or a dumb terminal all the same, and never ends.
    """
    if where := lacking_terminal():
        raise TerminalError(
            "The interface needs a terminal",
            where,
            'Without one: sdtui generate "a red apple" -o apple.png',
        )


def color_count(environment: Mapping[str, str]) -> int:
    """How many colours the interface uses here: 2**24, 256 or 16, or 2 where it uses none."""
    term = environment.get("TERM", "")
    if environment.get("NO_COLOR") or term in ("", "dumb", "unknown"):
        return 2
    if environment.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit"):
        return 2**24
    return 256 if "256color" in term or term.endswith("-kitty") else 16
