"""The prompt and the negative prompt: text with its count of tokens and a mark where it is cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.document._document_navigator import DocumentNavigator
from textual.document._wrapped_document import WrappedDocument
from textual.message import Message
from textual.widgets import TextArea

from sdtui.params import MAX_PROMPT_CHARACTERS
from sdtui.tui.widgets.prompt_document import PromptDocument

if TYPE_CHECKING:
    from sdtui.tui.token_counter import TokenCounter

_POSITIONS = 77


class PromptInput(TextArea, inherit_css=False):
    """A prompt of several lines. Enter submits it; Shift+Enter and Ctrl+J make a line.

    Its `text` is what was typed, and what the model gets; only what is shown of it is cleaned.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = TextArea.COMPONENT_CLASSES | {"prompt-input--cut"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("shift+enter,ctrl+j", "newline", "New line", show=False),
        Binding("enter", "submit", "Generate", show=False),
        # A text area selects the line with it.
        Binding("f6", "screen.side_by_side", "x0 and x_t", show=False),
        Binding("ctrl+underscore,ctrl+slash", "undo", "Undo", show=False),
    ]

    @dataclass
    class Submitted(Message):
        """Enter was pressed in the prompt."""

    def __init__(self, text: str = "", *, placeholder: str = "", id: str | None = None) -> None:
        super().__init__(
            text,
            soft_wrap=True,
            highlight_cursor_line=False,
            placeholder=Content(placeholder),
            id=id,
        )
        self.match_cursor_bracket = False
        # While nothing happens, nothing is sent over the link.
        self.cursor_blink = False
        self._counter: TokenCounter | None = None
        self._cut_at: int | None = None
        self._complaint = ""
        self._complained_about = ""

    def set_counter(self, counter: TokenCounter | None) -> None:
        """Count with the tokenizer of another model; None where it is not at hand."""
        self._counter = counter
        self._recount()

    def complain(self, reason: str) -> None:
        """Say at the prompt why it cannot be used, until it is edited."""
        self._complaint, self._complained_about = reason, self.text
        self._recount()
        self.focus()

    def replace_text(self, text: str) -> None:
        """Put another prompt here, the cursor at its end, such that undo brings back the old."""
        self.replace(text, (0, 0), self.document.end)
        self.move_cursor(self.document.end)

    def action_submit(self) -> None:
        """Ask for a picture."""
        self.post_message(self.Submitted())

    def action_newline(self) -> None:
        """Start another line."""
        if not self._is_full(1):
            self.insert("\n")

    async def _on_key(self, event: events.Key) -> None:
        """Textual runs the base class's handler after this one unless its default is prevented."""
        if event.key == "enter":
            event.prevent_default()
        elif event.is_printable and self._is_full(1):
            event.stop()
            event.prevent_default()

    async def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        pasted = event.text.replace("\r\n", "\n").replace("\r", "\n")
        room = MAX_PROMPT_CHARACTERS - len(self.text) + len(self.selected_text)
        was_cut = len(pasted) > room
        if result := self._replace_via_keyboard(pasted[: max(room, 0)], *self.selection):
            self.move_cursor(result.end_location)
        if was_cut:
            self.complain(f"pasted text was cut at {MAX_PROMPT_CHARACTERS:,} characters")

    def _is_full(self, more: int) -> bool:
        if len(self.text) - len(self.selected_text) + more <= MAX_PROMPT_CHARACTERS:
            return False
        self.complain(f"full: {MAX_PROMPT_CHARACTERS:,} characters")
        return True

    def on_text_area_changed(self) -> None:
        """An edit answers the complaint and changes the count."""
        if self.text != self._complained_about:
            self._complaint = ""
        self._recount()

    def _set_document(self, text: str, language: str | None) -> None:
        """Keep the text in a document that shows it cleaned, in place of Textual's own."""
        super()._set_document("", language)
        self.document = PromptDocument(text)
        self.wrapped_document = WrappedDocument(self.document, tab_width=self.indent_width)
        self.navigator = DocumentNavigator(self.wrapped_document)
        self._rewrap_and_refresh_virtual_size()

    def get_line(self, line_index: int) -> Text:
        """A line with what the model does not see struck out."""
        line = super().get_line(line_index)
        if self._cut_at is not None:
            before = sum(len(earlier) + 1 for earlier in self.document.lines[:line_index])
            start = self._cut_at - before
            if start < len(line):
                style = self.get_component_rich_style("prompt-input--cut", partial=True)
                line.stylize(style, max(start, 0))
        return line

    def _recount(self) -> None:
        parts: list[Content | tuple[str, str]] = []
        cut_at = None
        if self._counter is not None:
            count = self._counter.count(self.text)
            cut_at = count.cut_at
            if cut_at is not None:
                parts.append((f"cut at {_POSITIONS}  ", "$error"))
            parts.append((str(count.tokens), "$value" if cut_at is None else "$error"))
            parts.append((f"/{_POSITIONS}", "$unit"))
        if self._complaint:
            parts = [(self._complaint, "$error"), *([("  ", ""), *parts] if parts else [])]
        if cut_at != self._cut_at:
            self._cut_at = cut_at
            self._line_cache.clear()
            self.refresh()
        self.border_subtitle = Content.assemble(*parts)
