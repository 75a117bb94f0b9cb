"""Paints what changed and is seen, and nothing else.

For every update, Textual's compositor has all lines made of every widget whose container lies
anywhere in the rectangle around all that changed. A typed letter and a progress bar far below it
are enough for that to be the whole screen, several milliseconds for which the next key waits. And
a container's lines are made as well where its children cover them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from textual._compositor import ChopsUpdate, Compositor
from textual.geometry import Region
from textual.strip import Strip


class SparingCompositor(Compositor):
    """Asks for the lines that are to be painted, of the widgets that can be seen there."""

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
        screen = crop or self.size.region
        missing = _Missing((screen,) if self._updates is None else self._updates)
        # The foremost come first, and whatever lies behind one of them is not seen there.
        for widget, (region, clip) in self.visible_widgets.items():
            seen = region.intersection(clip)
            for top, bottom in missing.take(seen):
                lines = Region(seen.x, top, seen.width, bottom - top)
                yield region, lines, widget.render_lines(lines.translate(-region.offset))
            if not missing:
                return


class _Missing:
    """What nothing has been painted on yet: of each line, the columns from one up to another."""

    def __init__(self, regions: Iterable[Region]) -> None:
        self._spans: dict[int, list[tuple[int, int]]] = {}
        for region in regions:
            for y in region.line_range:
                self._spans.setdefault(y, []).append(region.column_span)
        self._lines = sorted(self._spans)

    def __bool__(self) -> bool:
        return bool(self._spans)

    def take(self, seen: Region) -> Iterator[tuple[int, int]]:
        """The runs of lines of which `seen` has something missing, and has it no longer."""
        top, bottom = seen.y, seen.bottom
        left, right = seen.column_span
        lines = [y for y in self._lines if top <= y < bottom and self._take_line(y, left, right)]
        # In a run, a line's number and its place in the list go up together.
        for _, run in groupby(enumerate(lines), lambda place: place[1] - place[0]):
            numbers = [number for _, number in run]
            yield numbers[0], numbers[-1] + 1

    def _take_line(self, y: int, left: int, right: int) -> bool:
        spans = self._spans.get(y)
        if spans is None or not any(left < end and start < right for start, end in spans):
            return False
        rest = [
            part
            for start, end in spans
            for part in ((start, min(end, left)), (max(start, right), end))
            if part[0] < part[1]
        ]
        if rest:
            self._spans[y] = rest
        else:
            del self._spans[y]
        return True
