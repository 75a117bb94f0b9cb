"""One still picture, as large as its place allows."""

from __future__ import annotations

from textual.strip import Strip
from textual.widget import Widget

from sdtui.tui.stills import cells, still, still_without_colour


class StillPicture(Widget):
    """Shows a PNG, scaled to its cells; nothing until it is given one."""

    DEFAULT_CSS = """
    StillPicture { width: 0; height: 0; }
    """
    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._png = b""
        self._strips: list[Strip] = []
        self._strips_key: tuple[object, ...] = ()

    def show(self, png: bytes, columns: int, rows: int) -> None:
        """Show a picture within `columns` by `rows` cells."""
        self._png = png
        self.styles.width, self.styles.height = cells(png, columns, rows)
        self.refresh()

    def clear(self) -> None:
        """Show nothing."""
        self._png = b""
        self.styles.width = self.styles.height = 0

    def render_line(self, y: int) -> Strip:
        """A line, drawn with all others when the picture, the size or the theme changed."""
        dark = self.app.current_theme.dark
        key = (self._png, self.size, self.app.no_color, dark)
        if key != self._strips_key:
            self._strips_key = key
            self._strips = []
            if self._png and self.app.no_color:
                style = self.rich_style
                self._strips = still_without_colour(self._png, *self.size, style, dark=dark)
            elif self._png:
                self._strips = still(self._png, *self.size)
        blank = Strip.blank(self.size.width, self.rich_style)
        return self._strips[y] if y < len(self._strips) else blank
