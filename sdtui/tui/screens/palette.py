"""Every action by its name."""

from __future__ import annotations

from pathlib import PurePath
from typing import ClassVar

from textual.command import CommandPalette

from sdtui.tui.stylesheets import styles_dir


class Palette(CommandPalette):
    """Textual's command palette in sdtui's clothes, which the first paint does not wait for."""

    CSS_PATH: ClassVar[list[str | PurePath]] = [styles_dir() / "palette.tcss"]

    def __init__(self) -> None:
        super().__init__(id="--command-palette")
