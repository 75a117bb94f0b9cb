"""A question before something that cannot be undone."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.style import Style
from textual.widgets import Static

from sdtui.tui.stylesheets import styles_dir


class Question(ModalScreen[bool]):
    """Asks whether to do `yes`. Only its own key says so; Enter and Esc are a no."""

    CSS_PATH = styles_dir() / "question.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes", show=False),
        Binding("n,escape,enter,q", "answer(False)", "No", show=False),
    ]

    def __init__(self, title: str, text: Content, *, yes: str, no: str) -> None:
        super().__init__()
        self._title = Content(title)
        self._text = text
        self._answers = Content("     ").join(
            [_answer("False", "n ⏎", no), _answer("True", "y", yes)]
        )

    def compose(self) -> ComposeResult:
        """What it is about, and the two answers."""
        with Vertical(id="question") as box:
            box.border_title = self._title
            yield Static(self._text, id="about")
            yield Static(self._answers, id="answers")

    def action_answer(self, yes: bool) -> None:
        """Give the answer to who asked."""
        self.dismiss(yes)


def _answer(value: str, key: str, words: str) -> Content:
    style = Style.from_meta({"@click": f"screen.answer({value})"})
    return Content.assemble((key, "$value"), (f" {words}", "$label")).stylize(style)
