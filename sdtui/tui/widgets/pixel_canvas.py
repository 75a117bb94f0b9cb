"""The pixels of one picture, as many cells as it was given and nothing else."""

from __future__ import annotations

from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from sdtui.tui.renderers import Frame, Renderer
from sdtui.tui.renderers.ascii_ramp import AsciiRamp
from sdtui.tui.renderers.half_blocks import HalfBlocks


class PixelCanvas(Widget):
    """Paints its newest frame over its whole surface, through the renderer that fits the app.

    It has neither border nor padding, so that its lines reach the compositor as they were
    encoded. The lines are kept until the frame, the size or the way of painting changes.
    """

    DEFAULT_CSS = """
    PixelCanvas { width: 0; height: 0; }
    """
    ALLOW_SELECT = False

    class Painted(Message):
        """A frame that was not on the screen before is part of what was just written to it."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._frame: Frame | None = None
        self._painted: Frame | None = None
        self._strips: list[Strip] = []
        self._strips_key: tuple[object, ...] = ()

    @property
    def frame(self) -> Frame | None:
        """The picture that is shown."""
        return self._frame

    def show(self, frame: Frame | None, columns: int, rows: int) -> None:
        """Paint `frame` in `columns` by `rows` cells from the next refresh on."""
        self._frame = frame
        if self.styles.width is None or (columns, rows) != self._cells:
            self.styles.width = columns
            self.styles.height = rows
        self.refresh()

    @property
    def _cells(self) -> tuple[float, float]:
        width, height = self.styles.width, self.styles.height
        return (width.value if width else 0, height.value if height else 0)

    def renderer(self) -> Renderer:
        """Half blocks in the console's colours, or characters where the user wants no colour."""
        if self.app.no_color:
            return AsciiRamp(self.rich_style, dark=self.app.current_theme.dark)
        return HalfBlocks(self.app.console.color_system)

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines of `crop`, encoded at most once."""
        columns, rows = self.size
        ground = (self.rich_style, self.app.current_theme.dark) if self.app.no_color else None
        key = (self._frame, columns, rows, ground)
        if self._frame is None:
            return [Strip.blank(crop.width, self.rich_style)] * crop.height
        if self._frame is not self._painted:
            # Lines are rendered within the paint that writes them, messages come after it.
            self._painted = self._frame
            self.post_message(self.Painted())
        if key != self._strips_key:
            self._strips = self.renderer().strips(self._frame, columns, rows)
            self._strips_key = key
        strips = self._strips[crop.y : crop.bottom]
        if crop.column_span != (0, columns):
            strips = [strip.crop(*crop.column_span) for strip in strips]
        return strips
