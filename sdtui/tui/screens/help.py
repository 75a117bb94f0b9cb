"""The help screen: every action with its keys, from the registry."""

from __future__ import annotations

from itertools import groupby
from textwrap import fill
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from sdtui.tui.actions import ACTIONS, key_name
from sdtui.tui.history_actions import HISTORY_ACTIONS
from sdtui.tui.preview_actions import PREVIEW_ACTIONS
from sdtui.tui.queue_actions import QUEUE_ACTIONS
from sdtui.tui.stylesheets import styles_dir

_KEYS_WIDTH, _NAME_WIDTH, _NARROWEST = 9, 17, 20
_MOST_WIDTH = 96
"""As the style sheet has it."""

_TYPING = (
    ("⏎", "in a prompt", "Make the picture"),
    ("⇧⏎ ^j", "in a prompt", "Start another line"),
    ("^/ ^y", "in a prompt", "Undo an edit, do it again"),
    ("⇥ ⇧⇥", "anywhere", "Go to the next or previous pane"),
    ("↑ ↓", "in the settings", "Choose a setting"),
    ("← → − +", "in the settings", "Change it; with Shift ten times as much"),
    ("0–9 ⌫", "in the settings", "Type it, or paste it"),
    ("⏎ esc", "in a search", "Go on to what was found; forget the words"),
)


class HelpScreen(ModalScreen[None]):
    """What every key does. Any of the usual keys closes it."""

    CSS_PATH = styles_dir() / "help.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter,f1,question_mark", "dismiss", "Close", show=False),
    ]

    def compose(self) -> ComposeResult:
        """One scrolling page."""
        with VerticalScroll(id="help") as page:
            page.border_title = "help"
            page.border_subtitle = "esc closes"
            # Less the border, the padding and the scrollbar.
            yield Static(_page(min(_MOST_WIDTH, self.app.size.width) - 8))


def _page(width: int) -> Content:
    lines: list[Content] = []
    everything = (*ACTIONS, *PREVIEW_ACTIONS, *HISTORY_ACTIONS, *QUEUE_ACTIONS)
    for group, actions in groupby(everything, key=lambda action: action.group):
        lines.append(Content.styled(group, "$accent"))
        for action in actions:
            keys = " ".join(key_name(key) for key in action.keys)
            lines.append(_row(keys, action.name, action.help, width))
        lines.append(Content(""))
    lines.append(Content.styled("typing", "$accent"))
    lines += [_row(*row, width) for row in _TYPING]
    lines.append(Content(""))
    lines.append(
        Content.styled(
            "Single letters work wherever no text is being typed. Closing sdtui stops nothing: "
            "the engine finishes the picture, and sdtui shows it when it is started again.",
            "$label",
        )
    )
    return Content("\n").join(lines)


def _row(keys: str, name: str, help_text: str, width: int) -> Content:
    indent = " " * (_KEYS_WIDTH + _NAME_WIDTH)
    words = fill(help_text, max(width - len(indent), _NARROWEST), break_long_words=False)
    return Content.assemble(
        (f"{keys:<{_KEYS_WIDTH}}", "$value"),
        (f"{name:<{_NAME_WIDTH}}", "$foreground"),
        (words.replace("\n", f"\n{indent}"), "$label"),
    )
