"""A picture through a view: cut to what is seen of it, and as large as that is to be."""

from __future__ import annotations

from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.geometry import Size
from textual.widgets import Static

from sdtui.text import clean
from sdtui.tui.link import Link
from sdtui.tui.renderers import CELL_ASPECT, Frame
from sdtui.tui.renderers.choice import RendererChoice
from sdtui.tui.view import Pane, View
from sdtui.tui.widgets.pixel_canvas import Painted, PixelCanvas


@dataclass(frozen=True)
class Shot:
    """A frame of a picture that has `size` (width, height) when it is done.

    `title` says what it is where it is not the only one.
    """

    frame: Frame
    size: tuple[int, int]
    title: str = ""


class Picture(Vertical):
    """Shows one frame in the middle of its room, and in a line above it what that is."""

    DEFAULT_CSS = """
    Picture { width: 1fr; height: 1fr; align: center middle; }
    Picture > .picture--title { height: 1; width: 100%; text-align: center; display: none; }
    """

    def __init__(
        self, choice: RendererChoice, painted: Painted, *, id: str, canvas_id: str
    ) -> None:
        super().__init__(id=id)
        self._choice = choice
        self._title = Static(classes="picture--title")
        self._words = ""
        self.canvas = PixelCanvas(choice.make, painted, id=canvas_id)
        self.shot: Shot | None = None

    def compose(self) -> ComposeResult:
        """The title, then the pixels."""
        yield self._title
        yield self.canvas

    def entitle(self, words: str) -> None:
        """Say above the picture what it is; no words take the line away."""
        if words != self._words:
            self._words = words
            self._title.display = bool(words)
            self._title.update(Content.styled(clean(words, limit=40), "$label"))

    def show(self, shot: Shot, view: View, room: Size, link: Link, *, exact: bool = True) -> None:
        """Show `shot` through `view` in at most so many cells.

        Unless `exact`, it is as small as the link needs it: it has fewer pixels where the terminal
        scales the picture, and elsewhere fewer cells.
        """
        self.shot = shot
        self.canvas.display = True
        if not room.area:
            self.canvas.show(shot.frame, 0, 0, exact=exact)
            return
        from sdtui.tui.renderers.scaling import coarser, cut

        is_scaled = self.canvas.renderer.is_scaled_by_terminal
        scale = 1.0 if exact or view.exact else link.scale
        if not is_scaled:
            room = Size(*(max(1, int(side * scale)) for side in room))
        pane = self.pane(room)
        window = view.window(*shot.size, pane)
        ground = self.background_colors[1].rgb
        frame = cut(shot.frame, window, shot.size, pane.pixels, ground)
        if is_scaled:
            frame = coarser(frame, scale)
        self.canvas.show(frame, window.columns, window.rows, exact=exact)

    def clear(self) -> None:
        """Show no picture."""
        self.shot = None
        self.canvas.display = False
        self.canvas.show(None, 0, 0)

    def pane(self, room: Size) -> Pane:
        """So many cells of this terminal, with the renderer's pixels."""
        cell = self._choice.answers.cell
        aspect = cell[1] / cell[0] if cell else CELL_ASPECT
        renderer = self.canvas.renderer
        columns, rows = (max(1, int(min(side, renderer.most_cells))) for side in room)
        return Pane(columns, rows, aspect, renderer.pixels)
