"""What is shown in the place of everything while the terminal is too small for it."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.geometry import Size
from textual.screen import Screen
from textual.widgets import Static

SMALLEST = Size(60, 20)


def is_too_small(size: Size) -> bool:
    """Whether a terminal of this size cannot hold the other screens."""
    return size.width < SMALLEST.width or size.height < SMALLEST.height


class TooSmallScreen(Screen[None]):
    """Says what size is needed. The application takes it away once the terminal has that."""

    DEFAULT_CSS = """
    TooSmallScreen { align: center middle; }
    TooSmallScreen > Static { width: 100%; height: auto; text-align: center; color: $value; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._sentence = Static()

    def compose(self) -> ComposeResult:
        """One sentence."""
        yield self._sentence

    def on_mount(self) -> None:
        """Say it."""
        self._tell()

    def on_resize(self) -> None:
        """Name the size as it is now."""
        self._tell()

    def _tell(self) -> None:
        width, height = self.app.size
        self._sentence.update(
            f"The terminal is too small: sdtui needs {SMALLEST.width}×{SMALLEST.height} cells,"
            f" here are {width}×{height}."
        )
