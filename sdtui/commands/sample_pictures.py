"""One small picture in each way that the terminal may show it, for the eye to judge."""

from __future__ import annotations

import os
import sys

from rich.console import Console
from rich.style import Style

from sdtui.tui.renderers import Frame, Renderer
from sdtui.tui.renderers.ascii_ramp import AsciiRamp
from sdtui.tui.renderers.choice import available
from sdtui.tui.renderers.half_blocks import HalfBlocks
from sdtui.tui.renderers.kitty import Kitty
from sdtui.tui.renderers.quadrants import Quadrants
from sdtui.tui.renderers.sextants import Sextants
from sdtui.tui.renderers.sixel import Sixel
from sdtui.tui.terminal_answers import TerminalAnswers

COLUMNS, ROWS = 24, 6
_SIDE = 48


def sample() -> Frame:
    """A disc on a ground that runs through the colours."""
    pixels = bytearray()
    for y in range(_SIDE):
        for x in range(_SIDE * 2):
            inside = (x - _SIDE) ** 2 / 4 + (y - _SIDE / 2) ** 2 < (_SIDE / 3) ** 2
            across, down = x * 255 // (2 * _SIDE), y * 255 // _SIDE
            pixels += bytes((230, 60, 40) if inside else (across, down, 255 - across))
    return Frame(bytes(pixels), _SIDE * 2, _SIDE)


def print_samples(answers: TerminalAnswers) -> None:
    """Print the picture once for each renderer, under its name."""
    console = Console(force_terminal=True, highlight=False)
    system = console.color_system
    renderers: dict[str, Renderer] = {
        "half": HalfBlocks(system),
        "quadrant": Quadrants(system),
        "sextant": Sextants(system),
        "kitty": Kitty(answers.cell, in_tmux=bool(os.environ.get("TMUX"))),
        "sixel": Sixel(answers.cell or (10, 20)),
        "ascii": AsciiRamp(Style(), dark=True),
    }
    frame = sample()
    for name in available(answers):
        renderer = renderers[name]
        renderer.draw(frame, COLUMNS, ROWS)
        print(f"\n{name}")
        lines = [strip.render(console) for strip in renderer.strips()]
        sys.stdout.write("\n".join([*lines, ""]))
        pixels = renderer.overlay(0, 0)
        if name == "sixel":
            # It belongs over the lines that were just written, wherever these are.
            pixels = f"\x1b7\x1b[{ROWS}A\r{pixels.partition('H')[2]}\x1b8"
        sys.stdout.write(pixels)
    sys.stdout.flush()
