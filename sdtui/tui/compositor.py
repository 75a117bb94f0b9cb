"""Paints what changed and nothing else.

For every update, Textual's compositor has all lines made of every widget whose container lies
anywhere in the rectangle around all that changed. A typed letter and a progress bar far below it
are enough for that to be the whole screen, several milliseconds for which the next key waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from textual._compositor import ChopsUpdate, Compositor
from textual.geometry import Region
from textual.strip import Strip


class SparingCompositor(Compositor):
    """Asks for the lines that changed, of the widgets that can be seen there."""

    _updates: tuple[Region, ...] | None = None

    def render_partial_update(self) -> ChopsUpdate | None:
        """What is to be written for the regions that changed, or None if there are none."""
        self._updates = tuple(self._dirty_regions)
        try:
            return super().render_partial_update()
        finally:
            self._updates = None

    def _get_renders(
        self, crop: Region | None = None
    ) -> Iterable[tuple[Region, Region, list[Strip]]]:
        if self._updates is None:
            yield from super()._get_renders(crop)
            return
        updates = self._updates
        # The foremost come first, and whatever lies behind one of them is not seen there.
        for widget, (region, clip) in self.visible_widgets.items():
            seen = region.intersection(clip)
            for top, bottom in _runs(updates, seen):
                lines = Region(seen.x, top, seen.width, bottom - top)
                yield region, lines, widget.render_lines(lines.translate(-region.offset))
            updates = tuple(update for update in updates if not seen.contains_region(update))
            if not updates:
                return


def _runs(updates: Iterable[Region], seen: Region) -> Iterator[tuple[int, int]]:
    """The lines of `seen` that some of `updates` touch, as first line and the one past the last."""
    lines = {
        y
        for update in updates
        if update.overlaps(seen)
        for y in update.intersection(seen).line_range
    }
    for top in sorted(lines):
        if top - 1 not in lines:
            bottom = top + 1
            while bottom in lines:
                bottom += 1
            yield top, bottom
