"""An app for a terminal: a preview over the whole screen, and things that lie on top of it.

Every key does one thing; when it is on the screen, the last line says so.
"""

from __future__ import annotations

import random
from typing import ClassVar

from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.screen import ModalScreen
from textual.widgets import Static

from sdtui.tui.themes import DARK, LIGHT
from sdtui.tui.widgets.preview import Preview

PICTURE = (40, 40)


def pixels(number: int) -> bytes:
    """Frame `number`: noise by its last digit, and by the rest up to six levels away from that."""
    noise = random.Random(number % 10).randbytes(PICTURE[0] * PICTURE[1] * 3)
    moved = random.Random(number)
    reach = 6 if number >= 10 else 0
    return bytes(min(255, max(0, value + moved.randint(-reach, reach))) for value in noise)


class Dialog(ModalScreen[None]):
    """A dialog over a darkened screen."""

    CSS = """
    Dialog { align: center middle; background: black 50%; }
    Dialog > Static { width: 20; height: 5; background: #102030; color: #ffffff; }
    """
    BINDINGS: ClassVar = [
        Binding("escape", "close"),
        Binding("n", "app.next_frame"),
        Binding("v", "app.variation"),
    ]

    def compose(self) -> ComposeResult:
        """One opaque box."""
        yield Static("", id="mark")

    def on_mount(self) -> None:
        """Say that it is there once it is."""
        self.call_after_refresh(self.app.mark, "dialog open")  # type: ignore[attr-defined]

    async def action_close(self) -> None:
        """Go, and say so."""
        await self.dismiss()
        self.app.call_after_refresh(self.app.mark, "dialog closed")  # type: ignore[attr-defined]


class PreviewApp(App[None]):
    """n: the next frame, v: one much like it, o: a box that comes and goes, d: a dialog,
    t: the other theme, z: back to the shell.
    """

    CSS = """
    Screen { layers: below above; }
    Preview { height: 1fr; }
    #box { layer: above; offset: 25 4; width: 17; height: 6; display: none; background: #405060; }
    #mark { dock: bottom; height: 1; }
    """
    BINDINGS: ClassVar = [
        Binding("n", "next_frame"),
        Binding("v", "variation"),
        Binding("z", "suspend_process"),
        Binding("d", "dialog"),
        Binding("o", "box"),
        Binding("t", "theme"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = DARK.name
        self.number = 0

    def compose(self) -> ComposeResult:
        """The preview, the box above it, the line below it."""
        yield Preview()
        yield Static("box", id="box")
        yield Static("", id="mark")

    def on_mount(self) -> None:
        """Paint again what another program has painted over."""
        self.app_resume_signal.subscribe(self, lambda _: self.refresh(layout=True))

    def mark(self, words: str) -> None:
        """Say what is now on the screen: on its last line, or in the dialog."""
        self.screen.query_one("#mark", Static).update(words)

    def action_next_frame(self) -> None:
        """Show the frame of another last digit."""
        self._show(self.number + 1)

    def action_variation(self) -> None:
        """Show a frame of the same last digit."""
        self._show(self.number + 10)

    def _show(self, number: int) -> None:
        self.number = number
        self.screen_stack[0].query_one(Preview).show_frame(pixels(number), *PICTURE)

    def on_preview_frame_painted(self) -> None:
        """Say which one is painted."""
        self.mark(f"frame {self.number} painted")

    def action_dialog(self) -> None:
        """Open the dialog."""
        self.push_screen(Dialog())

    def action_box(self) -> None:
        """Show or hide the box."""
        box = self.query_one("#box")
        box.display = not box.display
        self.call_after_refresh(self.mark, "box shown" if box.display else "box hidden")

    def action_theme(self) -> None:
        """Go from dark to light."""
        self.theme = LIGHT.name
        self.call_after_refresh(self.mark, "light")

    def on_resize(self, event: events.Resize) -> None:
        """Say the size once the screen has it."""
        size = f"{event.size.width}x{event.size.height}"
        self.call_after_refresh(self.call_after_refresh, self.mark, f"size {size}")


if __name__ == "__main__":
    PreviewApp().run()
