"""An app for a real terminal: a picture in a preview, and what signals do to it.

    python picture_app.py REPORT PICTURE NEXT

REPORT gets the process, the picture's place in cells, a cell's size in pixels, the renderer and
the terminal's answers, as JSON.
SIGUSR1 brings a dialog or takes it away, SIGUSR2 shows NEXT as a preview.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path

from PIL import Image
from textual.app import App, ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Static

from sdtui.tui.driver import TerminalDriver
from sdtui.tui.terminal_answers import TerminalAnswered
from sdtui.tui.widgets.preview import Preview


class Dialog(ModalScreen[None]):
    """Something that lies over the picture."""

    CSS = "Dialog { align: center middle; } Static { width: 20; height: 5; background: #406020; }"

    def compose(self) -> ComposeResult:
        """One opaque box."""
        yield Static("dialog")


class PictureApp(App[None]):
    """Shows the picture over the whole terminal but its last line."""

    CSS = "Preview { height: 1fr; } #below { dock: bottom; height: 1; }"

    def __init__(self, report: Path, picture: Path, following: Path) -> None:
        super().__init__()
        self._report = report
        self._picture = picture
        self._following = following
        self._is_reporting = False

    def get_driver_class(self) -> type[TerminalDriver]:
        """The driver that knows the terminal's answers."""
        return TerminalDriver

    def compose(self) -> ComposeResult:
        """The preview, and a line that must not move."""
        yield Preview()
        yield Static("the last line", id="below")

    def on_mount(self) -> None:
        """Show the picture at once; the terminal's answers come later."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, self._toggle_dialog)
        loop.add_signal_handler(signal.SIGUSR2, self._show, self._following)
        self._preview.ask_terminal()
        self._show(self._picture, final=True)

    def on_terminal_driver_signalled(self, event: TerminalDriver.Signalled) -> None:
        """Do not outlive the terminal."""
        self.exit(return_code=128 + event.number)

    def on_terminal_answered(self, message: TerminalAnswered) -> None:
        """Use what the terminal can do, and report where the picture is."""
        self._preview.take_answers(message.answers)
        if message.answers.is_complete and not self._is_reporting:
            # More may be answered behind it, and be looked up elsewhere.
            self._is_reporting = True
            self.set_interval(0.5, self._tell)

    @property
    def _preview(self) -> Preview:
        return self.screen_stack[0].query_one(Preview)

    def _show(self, path: Path, final: bool = False) -> None:
        with Image.open(path) as picture:
            rgb = picture.convert("RGB")
        self._preview.show_frame(rgb.tobytes(), *rgb.size, final=final)

    def _tell(self) -> None:
        preview = self._preview
        region = preview.query_one("#preview-canvas").region
        place = {
            "process": os.getpid(),
            "region": list(region),
            "cell": preview.choice.answers.cell,
            "renderer": preview.renderer_name,
            "answers": asdict(preview.choice.answers),
        }
        whole = self._report.with_suffix(".new")
        whole.write_text(json.dumps(place))
        whole.replace(self._report)

    def _toggle_dialog(self) -> None:
        if isinstance(self.screen, Dialog):
            self.pop_screen()
        else:
            self.push_screen(Dialog())


if __name__ == "__main__":
    PictureApp(*map(Path, sys.argv[1:])).run()
