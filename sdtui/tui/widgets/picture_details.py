"""The chosen picture in full: larger, with all that is known of its making."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from sdtui.protocol.gallery import GalleryPicture
from sdtui.text import clean
from sdtui.tui import figures
from sdtui.tui.run_view import shown_path
from sdtui.tui.widgets.picture_row import when
from sdtui.tui.widgets.still_picture import StillPicture

_LEAST_PICTURE_LINES = 6
_FIGURE_LINES = 17
"""What the text below the picture takes when nothing in it is long."""

_TEXT_COLUMNS = 38
"""What the text beside the picture takes, where the style sheet puts it there."""

_LONGEST_PROMPT = 2_000


class PictureDetails(VerticalScroll):
    """The picture above or beside its parameters. They scroll where they do not fit."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "screen.choose(-1)", "Previous picture", show=False),
        Binding("right", "screen.choose(1)", "Next picture", show=False),
    ]

    def compose(self) -> ComposeResult:
        """The picture and the text."""
        yield StillPicture(id="still")
        yield Static(id="figures")

    def show(self, picture: GalleryPicture | None) -> None:
        """Show another picture, or that there is none."""
        still, text = self.query_one(StillPicture), self.query_one("#figures", Static)
        self.scroll_home(animate=False)
        if picture is None:
            still.clear()
            text.update("")
            return
        width, height = self.scrollable_content_region.size
        if self.styles.layout is not None and self.styles.layout.name == "horizontal":
            still.show(picture.thumbnail, max(width - _TEXT_COLUMNS, 1), max(height, 1))
        else:
            rows = max(height - _FIGURE_LINES, _LEAST_PICTURE_LINES)
            still.show(picture.thumbnail, max(width, 1), rows)
        text.update(described(picture))


def described(picture: GalleryPicture) -> Content:
    """All parameters, a line each."""
    params = picture.params
    lines = [Content.styled(_prompt(params.prompt), "$value")]
    if params.negative_prompt.strip():
        negative = (_prompt(params.negative_prompt), "$foreground")
        lines.append(Content.assemble(("without  ", "$label"), negative))
    lines.append(Content(""))
    if not picture.exists:
        lines.append(Content.styled("file is gone, moved or deleted", "$error"))
    lines += [
        _row("seed", str(params.seed)),
        _row("size", f"{picture.width}×{picture.height}", "px"),
        _row("steps", str(params.num_inference_steps)),
        _row("scheduler", params.scheduler),
        _row("guidance", f"{params.guidance_scale:g}"),
        _row("model", params.model),
        _row("saved", when(picture.saved_at)),
        _row("took", figures.duration(picture.seconds)),
        _row("favourite", "yes" if picture.favourite else "no"),
        _row("file", figures.byte_size(picture.size)),
        Content.styled(shown_path(Path(picture.path)), "$foreground"),
    ]
    return Content("\n").join(lines)


def _prompt(prompt: str) -> str:
    return clean(prompt.strip(), multiline=True, limit=_LONGEST_PROMPT)


def _row(name: str, value: str, unit: str = "") -> Content:
    return Content.assemble(
        (f"{name:<10} ", "$label"), (clean(value), "$value"), (f" {unit}".rstrip(), "$unit")
    )
