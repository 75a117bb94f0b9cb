"""One line of words to search for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from sdtui.text import clean

_LONGEST_SEARCH = 200


class SearchInput(Input):
    """Tells of every change. Enter and ↓ go on to what was found, Esc forgets the words."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,down", "leave", "To what was found", show=False),
        Binding("escape", "leave(True)", "Forget the words", show=False),
    ]

    @dataclass
    class Left(Message):
        """The user is done with the words."""

    def __init__(self, *, placeholder: str, id: str | None = None) -> None:
        super().__init__(placeholder=placeholder, id=id, max_length=_LONGEST_SEARCH)

    def action_leave(self, forget: bool = False) -> None:
        """Go on to what was found, with or without the words."""
        if forget:
            self.value = ""
        self.post_message(self.Left())

    def _on_paste(self, event: events.Paste) -> None:
        """Pasted control characters become visible pictures of themselves.

        Textual runs the base class's handler after this one unless its default is prevented.
        """
        event.stop()
        event.prevent_default()
        words = clean(event.text.replace("\r", "\n"), limit=_LONGEST_SEARCH)
        self.replace(words, *sorted(self.selection))
