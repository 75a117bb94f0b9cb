"""The text of a prompt as it was typed, and the lines of it that may be shown."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, overload

from textual.document._document import Document, EditResult, Location

from sdtui.text import clean_in_place


class PromptDocument(Document):
    """Keeps what was typed or pasted, character for character, and shows it cleaned.

    `text` and `get_text_range` give the text itself, everything by the line what is shown. Both
    have every character in the same place. Only a line feed ends a line: Textual's own document
    would break it at a dozen other characters, and lose them.
    """

    def __init__(self, text: str) -> None:
        super().__init__("")
        self._lines = text.split("\n")

    @property
    def lines(self) -> list[str]:
        """The lines as they are shown."""
        return [_shown(line) for line in self._lines]

    if TYPE_CHECKING:

        @overload
        def __getitem__(self, line_index: int) -> str: ...

        @overload
        def __getitem__(self, line_index: slice) -> list[str]: ...

    def __getitem__(self, line_index: int | slice) -> str | list[str]:
        """A line, or lines, as they are shown."""
        if isinstance(line_index, slice):
            return self.lines[line_index]
        return _shown(self._lines[line_index])

    def replace_range(self, start: Location, end: Location, text: str) -> EditResult:
        """Put `text` in the place of what stands from `start` to `end`.

        `end` may be the beginning of a line after the last: Textual deletes the last line so.
        """
        (top, left), (bottom, right) = sorted((start, end))
        replaced = self.get_text_range(start, end)
        before = self._lines[top][:left]
        after = self._lines[bottom][right:] if bottom < len(self._lines) else ""
        new = text.split("\n")
        end_location = (top + len(new) - 1, len(new[-1]) + (len(before) if len(new) == 1 else 0))
        new[0] = before + new[0]
        new[-1] += after
        self._lines[top : bottom + 1] = new
        return EditResult(end_location, replaced)


@functools.lru_cache(maxsize=256)
def _shown(line: str) -> str:
    """Textual asks for the same lines many times a key."""
    return clean_in_place(line)
