"""One row of the list of past pictures: a thumbnail, and four lines of text beside it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from rich.cells import cell_len, split_graphemes
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.strip import Strip

from sdtui.protocol.gallery import GalleryPicture
from sdtui.text import clean
from sdtui.tui import figures

THUMBNAIL_COLUMNS, THUMBNAIL_ROWS = 8, 4

_TEXT_AT = THUMBNAIL_COLUMNS + 4
_LONGEST_PROMPT = 400
"""In characters: more than two lines of any terminal hold."""


@dataclass(frozen=True, kw_only=True)
class RowPainter:
    """Paints rows of `width` cells, all on one `ground`. `sign` stands at their left edge."""

    width: int
    ground: Style
    prompt: Style
    figures: Style
    gone: Style
    sign: Segment

    def row(self, picture: GalleryPicture, thumbnail: list[Strip]) -> list[Strip]:
        """A picture's row, as high as the place of its thumbnail, which may be smaller."""
        return self._lines(self._placed(thumbnail), self._texts(picture))

    def empty_row(self, words: str) -> list[Strip]:
        """A row that says why no picture is there."""
        return self._lines(self._placed([]), [[Segment(words, self.figures)], [], [], []])

    def _lines(self, left: list[list[Segment]], right: list[list[Segment]]) -> list[Strip]:
        blank = Segment(" ", self.ground)
        lines = [
            Strip([self.sign, blank, *cells, blank, blank, *text])
            for cells, text in zip(left, right, strict=True)
        ]
        return [line.adjust_cell_length(self.width, self.ground) for line in lines]

    def _texts(self, picture: GalleryPicture) -> list[list[Segment]]:
        params = picture.params
        star = "★ " if picture.favourite else ""
        prompt = star + clean(params.prompt, limit=_LONGEST_PROMPT).strip()
        room = max(self.width - _TEXT_AT - 1, 1)
        first, second = _two_lines(prompt, room)
        size = f"{picture.width}×{picture.height}"
        scheduler = f"{params.num_inference_steps} {params.scheduler}"
        how = figures.in_a_row([f"seed {params.seed}", size, scheduler], room)
        where = [Segment(f"{when(picture.saved_at)} · {clean(params.model)}", self.figures)]
        if not picture.exists:
            where = [Segment("file is gone", self.gone), Segment(" · ", self.figures), *where]
        return [
            [Segment(first, self.prompt)],
            [Segment(second, self.prompt)],
            [Segment(how, self.figures)],
            where,
        ]

    def _placed(self, thumbnail: list[Strip]) -> list[list[Segment]]:
        """The cells of a thumbnail in the middle of its place, which is always filled."""
        empty = [Segment(" " * THUMBNAIL_COLUMNS, self.ground)]
        above = (THUMBNAIL_ROWS - len(thumbnail)) // 2
        lines = [empty] * above
        for strip in thumbnail:
            left = (THUMBNAIL_COLUMNS - strip.cell_length) // 2
            right = THUMBNAIL_COLUMNS - strip.cell_length - left
            lines.append(
                [Segment(" " * left, self.ground), *strip, Segment(" " * right, self.ground)]
            )
        return lines + [empty] * (THUMBNAIL_ROWS - len(lines))


def when(saved_at: float) -> str:
    """A moment in local time: `2026-01-02 15:04`."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(saved_at))


def _two_lines(text: str, width: int) -> tuple[str, str]:
    """The text in two lines of `width` cells, broken between words; an ellipsis if it is longer."""
    first, rest = _split(text, width)
    second = Text(rest)
    second.truncate(width, overflow="ellipsis")
    return first, second.plain


def _split(text: str, width: int) -> tuple[str, str]:
    """What fits into `width` cells, up to a space where there is one, and what is left."""
    if cell_len(text) <= width:
        return text, ""
    end = used = 0
    # A selector behind a character may widen it, so characters are measured with what follows them.
    for _, after, cells in split_graphemes(text)[0]:
        if used + cells > width:
            break
        end, used = after, used + cells
    space = text.rfind(" ", 0, end + 1)
    end = space if space > 0 else max(end, 1)
    return text[:end], text[end:].lstrip()
