"""Cells written with colours that are on already, where those are near enough."""

from __future__ import annotations

from collections.abc import Sequence
from operator import sub

_AHEAD = 6
"""So many cells are looked at for a new colour."""


def with_few_colours(
    shapes: Sequence[int],
    inks: Sequence[int],
    papers: Sequence[int],
    *,
    full: int,
    tolerance: int,
) -> tuple[list[int], list[int], list[int]]:
    """Cells in the order in which they are written, none of their colours moved beyond tolerance.

    A colour is 0xRRGGBB. To send it takes up to 20 bytes, to write a cell in the colours that are
    on 1 to 3. The bits of a shape say which pixels are ink, 0 has none of them and `full` all, so
    a cell can as well be written with ink and paper exchanged.
    """

    def near(colour: int, other: int) -> bool:
        return (
            -tolerance <= (colour & 255) - (other & 255) <= tolerance
            and -tolerance <= (colour >> 8 & 255) - (other >> 8 & 255) <= tolerance
            and -tolerance <= (colour >> 16) - (other >> 16) <= tolerance
        )

    def ahead(colours: Sequence[int], place: int) -> int:
        """A colour near to this one and to as many of those behind it as may be."""
        least = most = _channels(colours[place])
        for colour in colours[place + 1 : place + _AHEAD]:
            channels = _channels(colour)
            lower, upper = tuple(map(min, least, channels)), tuple(map(max, most, channels))
            if max(map(sub, upper, lower)) > 2 * tolerance:
                break
            least, most = lower, upper
        red, green, blue = ((low + high) >> 1 for low, high in zip(least, most, strict=True))
        return red << 16 | green << 8 | blue

    # No colour is near to what is on at first.
    ink_on = paper_on = -1 << 32
    new: list[tuple[int, int, int]] = []
    for place, (shape, ink, paper) in enumerate(zip(shapes, inks, papers, strict=True)):
        if not shape:
            ink = paper
        if near(ink, paper_on) and near(paper, paper_on):
            shape = 0
        elif near(ink, ink_on) and near(paper, ink_on):
            shape = full
        elif near(ink, paper):
            shape = 0
            paper_on = (ink & 0xFEFEFE) + (paper & 0xFEFEFE) >> 1
        else:
            all_inks, all_papers = inks, papers
            if near(ink, paper_on) or near(paper, ink_on):
                shape, ink, paper = shape ^ full, paper, ink
                all_inks, all_papers = papers, inks
            if not near(ink, ink_on):
                ink_on = ahead(all_inks, place)
            if not near(paper, paper_on):
                paper_on = ahead(all_papers, place)
        new.append((shape, ink_on if shape else paper_on, paper_on))
    return (
        [shape for shape, _, _ in new],
        [ink for _, ink, _ in new],
        [paper for _, _, paper in new],
    )


def _channels(colour: int) -> tuple[int, ...]:
    return colour >> 16, colour >> 8 & 255, colour & 255
