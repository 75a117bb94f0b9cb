"""Which renderer a terminal gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdtui.tui.renderers import Renderer

if TYPE_CHECKING:
    from textual.widget import Widget


def make_renderer(widget: Widget) -> Renderer:
    """Half blocks in the console's colours, or characters where the user wants no colour."""
    app = widget.app
    if app.no_color:
        from sdtui.tui.renderers.ascii_ramp import AsciiRamp

        return AsciiRamp(widget.rich_style, dark=app.current_theme.dark)
    from sdtui.tui.renderers.half_blocks import HalfBlocks

    return HalfBlocks(app.console.color_system)
