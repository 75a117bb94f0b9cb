"""Cells written with colours that are on already, where those are near enough."""

from __future__ import annotations

from collections.abc import Sequence


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

    # No colour is near to what is on at first.
    ink_on = paper_on = -1 << 32
    new: list[tuple[int, int, int]] = []
    for shape, ink, paper in zip(shapes, inks, papers, strict=True):
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
            if near(ink, paper_on) or near(paper, ink_on):
                shape, ink, paper = shape ^ full, paper, ink
            if not near(ink, ink_on):
                ink_on = ink
            if not near(paper, paper_on):
                paper_on = paper
        new.append((shape, ink_on if shape else paper_on, paper_on))
    return (
        [shape for shape, _, _ in new],
        [ink for _, ink, _ in new],
        [paper for _, _, paper in new],
    )
