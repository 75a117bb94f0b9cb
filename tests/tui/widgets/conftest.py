"""What the tests of the widgets share: an app in the house's themes, and a real terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from textual.app import App, ComposeResult
from textual.widget import Widget

from sdtui.tui.themes import DARK, LIGHT
from tests.tui.widgets.colour_terminal import ColourTerminal


class Stage(App[None]):
    """An app that holds the widgets under test, one below the other."""

    CSS = "Preview, TokenLog { height: 1fr; }"

    def __init__(self, *widgets: Widget, light: bool = False) -> None:
        super().__init__()
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = LIGHT.name if light else DARK.name
        self._widgets = widgets
        self.heard: list[object] = []

    def compose(self) -> ComposeResult:
        """The widgets."""
        yield from self._widgets


@pytest.fixture
def stage() -> type[Stage]:
    """The app's class; call it with the widgets to show."""
    return Stage


@pytest.fixture
def open_terminal() -> Iterator[Callable[..., ColourTerminal]]:
    """Runs a script of this folder on a terminal: `open_terminal("script.py", 80, 24, TERM=…)`."""
    with ExitStack() as stack:

        def run(script: str, columns: int, lines: int, **env: str) -> ColourTerminal:
            command = [sys.executable, Path(__file__).parent / script]
            terminal = ColourTerminal(command, columns=columns, lines=lines, env=env)
            return stack.enter_context(terminal)

        yield run
