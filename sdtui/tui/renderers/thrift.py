"""Cells written with colours that are on already, where those are near enough."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_AHEAD = 6
"""So many cells are looked at for a new colour."""
_ONES = 1 << 20 | 1 << 10 | 1
"""One in each channel of a wide colour, where a channel has ten bits of which it uses eight."""
_SIGNS = 512 * _ONES
_EVEN = 0xFE * _ONES
_NONE = -200 << 20
"""A wide colour that none is near to."""


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
    a cell can as well be written with ink and paper exchanged. The tolerance is below 200.
    """
    least_sign = _SIGNS + tolerance * _ONES

    def near(colour: int, other: int) -> bool:
        # All channels at once: a sign is lost where one is below the other by more than allowed.
        return (colour - other + least_sign) & (other - colour + least_sign) & _SIGNS == _SIGNS

    def ahead(colours: Sequence[int], place: int) -> int:
        """A colour near to this one and to as many of those behind it as may be."""
        reach = 2 * tolerance
        colour = colours[place]
        low_red = high_red = colour >> 20
        low_green = high_green = colour >> 10 & 255
        low_blue = high_blue = colour & 255
        for colour in colours[place + 1 : place + _AHEAD]:
            red, green, blue = colour >> 20, colour >> 10 & 255, colour & 255
            if (
                not high_red - reach <= red <= low_red + reach
                or not high_green - reach <= green <= low_green + reach
                or not high_blue - reach <= blue <= low_blue + reach
            ):
                break
            low_red = red if red < low_red else low_red
            high_red = red if red > high_red else high_red
            low_green = green if green < low_green else low_green
            high_green = green if green > high_green else high_green
            low_blue = blue if blue < low_blue else low_blue
            high_blue = blue if blue > high_blue else high_blue
        middle = (low_red + high_red >> 1) << 20
        return middle | (low_green + high_green >> 1) << 10 | low_blue + high_blue >> 1

    wide_inks, wide_papers = _widened(inks), _widened(papers)
    ink_on = paper_on = _NONE
    new: list[tuple[int, int, int]] = []
    for place, (shape, ink, paper) in enumerate(zip(shapes, wide_inks, wide_papers, strict=True)):
        if not shape:
            ink = paper
        if near(ink, paper_on) and near(paper, paper_on):
            shape = 0
        elif near(ink, ink_on) and near(paper, ink_on):
            shape = full
        elif near(ink, paper):
            shape = 0
            paper_on = (ink & _EVEN) + (paper & _EVEN) >> 1
        else:
            all_inks, all_papers = wide_inks, wide_papers
            if near(ink, paper_on) or near(paper, ink_on):
                shape, ink, paper = shape ^ full, paper, ink
                all_inks, all_papers = wide_papers, wide_inks
            if not near(ink, ink_on):
                ink_on = ahead(all_inks, place)
            if not near(paper, paper_on):
                paper_on = ahead(all_papers, place)
        new.append((shape, ink_on if shape else paper_on, paper_on))
    return (
        [shape for shape, _, _ in new],
        _narrowed(ink for _, ink, _ in new),
        _narrowed(paper for _, _, paper in new),
    )


def _widened(colours: Iterable[int]) -> list[int]:
    return [(c & 0xFF0000) << 4 | (c & 0xFF00) << 2 | c & 0xFF for c in colours]


def _narrowed(colours: Iterable[int]) -> list[int]:
    return [c >> 4 & 0xFF0000 | c >> 2 & 0xFF00 | c & 0xFF for c in colours]
