"""The picture through a view, and x_t beside it where that is wanted."""

from __future__ import annotations

from dataclasses import dataclass

from textual.containers import Horizontal
from textual.geometry import Size
from textual.message import Message

from sdtui.tui.link import Link
from sdtui.tui.renderers.choice import RendererChoice
from sdtui.tui.view import FITTED, View
from sdtui.tui.widgets.picture import Picture, Shot
from sdtui.tui.widgets.pixel_canvas import Painted

_NO_LATENTS = "x_t · none yet"


class Viewer(Horizontal):
    """Shows the newest shot in so many cells as `resize` was told last.

    It is seen through `view` while `is_full`, else fitted. With `is_double`, the newest x_t is
    beside it, each under its title. `latents` are kept until another job begins. `painted` is told
    of both as of one.
    """

    DEFAULT_CSS = """
    Viewer { width: 100%; height: 100%; display: none; }
    """

    @dataclass
    class ViewChanged(Message):
        """The picture is seen otherwise; `words` say how, and are empty where nobody chose it."""

        words: str

    def __init__(
        self, choice: RendererChoice, link: Link, painted: Painted, *, id: str | None = None
    ) -> None:
        self._picture = Picture(
            choice, self._picture_painted, id="preview-picture", canvas_id="preview-canvas"
        )
        self._beside = Picture(
            choice, self._latents_painted, id="preview-latents", canvas_id="latents-canvas"
        )
        super().__init__(self._picture, self._beside, id=id)
        self._tell_of_painting = painted
        self._link = link
        self._room = Size(0, 0)
        self._beside_bytes = 0
        self._exact = True
        self._words = ""
        self.view = FITTED
        self.is_full = self.is_double = False
        self.latents: Shot | None = None

    def on_mount(self) -> None:
        """What lies beside an exact picture's last pixels follows the theme."""
        self.app.theme_changed_signal.subscribe(self, lambda _: self.place())

    @property
    def shot(self) -> Shot | None:
        """What is shown, if anything is."""
        return self._picture.shot

    def resize(self, room: Size) -> None:
        """Fit what is shown into another room."""
        self._room = room
        self.place()

    def show(self, shot: Shot, *, exact: bool) -> None:
        """Show another shot; unless `exact`, no larger than the link carries in time."""
        self._picture.shot = shot
        self._exact = exact
        self.place()

    def clear(self) -> None:
        """Show nothing."""
        self._picture.clear()
        self._beside.clear()
        self.display = False
        self._tell("")

    def change_renderer(self) -> None:
        """Paint with the renderer that is chosen now."""
        self._picture.canvas.change_renderer()
        self._beside.canvas.change_renderer()
        self._link.expect_other_pictures()
        self.place()

    def look(self, view: View) -> None:
        """See the picture through another view."""
        self.view = view
        self.place()

    def make_full(self, is_full: bool) -> None:
        """Have the screen for the picture, or not any more; another room follows."""
        self.is_full = is_full
        self.place()

    def make_double(self, is_double: bool) -> None:
        """Show x_t beside the picture, or not."""
        self.is_double = is_double
        self.place()

    def pan(self, right: int, down: int) -> None:
        """Move over a picture that is larger than the pane, by so many steps."""
        if self.shot is not None:
            pane = self._picture.pane(self._room_of_one)
            self.look(self.view.panned(right, down, *self.shot.size, pane))

    def place(self) -> None:
        """Bring what is shown to its place and size."""
        shot, exact = self.shot, self._exact
        if shot is None:
            return
        self.display = True
        self._beside.display = self.is_double
        self._picture.entitle(shot.title if self.is_double else "")
        view = self.view if self.is_full else FITTED
        room = self._room_of_one
        self._tell(view.words(*shot.size, self._picture.pane(room)) if self.is_full else "")
        # x_t comes first: the terminal is asked behind the picture whether it has taken both in.
        if self.is_double and self.latents is not None:
            self._beside.entitle(self.latents.title)
            self._beside.show(self.latents, view, room, self._link, exact=exact)
        elif self.is_double:
            self._beside.entitle(_NO_LATENTS)
            self._beside.clear()
        self._picture.show(shot, view, room, self._link, exact=exact)

    def _tell(self, words: str) -> None:
        if words != self._words:
            self._words = words
            self.post_message(self.ViewChanged(words))

    @property
    def _room_of_one(self) -> Size:
        if not self.is_double:
            return self._room
        # Less the line of the title, and a column between the two.
        return Size(max(0, self._room.width // 2 - 1), max(0, self._room.height - 1))

    def _latents_painted(self, size: int, whole: bool) -> None:
        """Both pictures are one frame, which is told of with the picture."""
        self._beside_bytes += size

    def _picture_painted(self, size: int, whole: bool) -> None:
        size, self._beside_bytes = size + self._beside_bytes, 0
        self._tell_of_painting(size, whole)
