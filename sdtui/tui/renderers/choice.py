"""Which renderer a terminal gets: what the user wants, else the best that it has answered to."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sdtui.errors import ParameterError
from sdtui.tui.link import byte_limit
from sdtui.tui.renderers import Renderer

if TYPE_CHECKING:
    from textual.widget import Widget

    from sdtui.tui.terminal_answers import TerminalAnswers

AUTO = "auto"
NAMES = ("half", "quadrant", "sextant", "kitty", "sixel", "ascii")
VARIABLE = "SDTUI_RENDERER"

_WITH_PLACEHOLDERS = re.compile(r"(kitty|ghostty)\W*(\d+)\.(\d+)", re.IGNORECASE)
_KITTY_SINCE = (0, 28)
_DEFAULT_CELL = (10, 20)


def wanted_renderer(environment: Mapping[str, str] = os.environ) -> str:
    """What SDTUI_RENDERER says, or "auto". Raises `ParameterError` for another word."""
    return checked_renderer(environment.get(VARIABLE, "") or AUTO, VARIABLE)


def checked_renderer(wanted: str, named: str) -> str:
    """`wanted` if it is a renderer or "auto"; else `ParameterError` about what is `named` so."""
    if wanted not in (AUTO, *NAMES):
        raise ParameterError(
            named, f"{wanted!r} is no renderer", f"Choose one of {', '.join((AUTO, *NAMES))}."
        )
    return wanted


def speaks_ascii(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the locale has no characters but ASCII. No locale at all says nothing."""
    for variable in ("LC_ALL", "LC_CTYPE", "LANG"):
        if environment.get(variable):
            return environment[variable] in ("C", "POSIX")
    return False


def has_placeholders(name: str) -> bool:
    """Whether a terminal that names itself so has Kitty's Unicode placeholders."""
    known = _WITH_PLACEHOLDERS.match(name)
    if known is None:
        return False
    version = (int(known[2]), int(known[3]))
    return known[1].lower() != "kitty" or version >= _KITTY_SINCE


def available(answers: TerminalAnswers) -> list[str]:
    """The renderers that this terminal may show: all blocks, and what it has answered to."""
    has = {"kitty": answers.kitty, "sixel": answers.sixel}
    return [name for name in NAMES if has.get(name, True)]


def best(answers: TerminalAnswers, *, no_color: bool, ascii_only: bool) -> str:
    """What "auto" means. Whether the font has the finer blocks, no terminal tells."""
    if no_color or ascii_only:
        return "ascii"
    if answers.kitty and has_placeholders(answers.name):
        return "kitty"
    if answers.sixel and answers.cell:
        return "sixel"
    return "half"


class RendererChoice:
    """What is wanted, and what comes of it for the app's terminal."""

    def __init__(self, wanted: str, answers: TerminalAnswers) -> None:
        self.wanted = wanted
        self.answers = answers

    def next(self) -> None:
        """Want the next of those that may work, "auto" after the last."""
        names = [AUTO, *available(self.answers)]
        place = names.index(self.wanted) if self.wanted in names else -1
        self.wanted = names[(place + 1) % len(names)]

    def name(self, *, no_color: bool) -> str:
        """The renderer to use."""
        if self.wanted != AUTO:
            return self.wanted
        return best(self.answers, no_color=no_color, ascii_only=speaks_ascii())

    def make(self, widget: Widget) -> Renderer:
        """A renderer for the terminal and the theme of a widget's app."""
        app = widget.app
        has_limit = byte_limit() > 0
        color_system = app.console.color_system
        match self.name(no_color=app.no_color):
            case "ascii":
                from sdtui.tui.renderers.ascii_ramp import AsciiRamp

                return AsciiRamp(widget.rich_style, dark=app.current_theme.dark)
            case "quadrant":
                from sdtui.tui.renderers.quadrants import Quadrants

                return Quadrants(color_system, spares_always=has_limit)
            case "sextant":
                from sdtui.tui.renderers.sextants import Sextants

                return Sextants(color_system, spares_always=has_limit)
            case "kitty":
                from sdtui.tui.renderers.kitty import Kitty

                return Kitty(self.answers.cell, in_tmux=bool(os.environ.get("TMUX")))
            case "sixel":
                from sdtui.tui.renderers.sixel import Sixel

                return Sixel(self.answers.cell or _DEFAULT_CELL)
            case _:
                from sdtui.tui.renderers.half_blocks import HalfBlocks

                return HalfBlocks(color_system, spares_always=has_limit)
