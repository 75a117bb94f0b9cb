"""The settings pane: one row a parameter, changed by keys and mouse, drawn as one widget."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from textwrap import wrap
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from sdtui.params import GenerationParams
from sdtui.text import clean
from sdtui.tui.settings import SETTINGS, Setting, Settings

_ROWS_WITH_GAPS = len(SETTINGS) + sum(row.starts_group for row in SETTINGS)
_USUAL_REASON = 40
"""Characters."""
_DIGITS = frozenset("0123456789")


class ParameterPanel(Widget, can_focus=True):
    """The settings. Arrows choose and change, digits replace, a message says what is impossible.

    A value is being typed while its row is chosen and has a draft.
    """

    DEFAULT_CSS = """
    ParameterPanel { height: 1fr; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "parameter-panel--label",
        "parameter-panel--value",
        "parameter-panel--unit",
        "parameter-panel--row",
        "parameter-panel--chosen",
        "parameter-panel--error",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "choose(-1)", "Previous setting", show=False),
        Binding("down", "choose(1)", "Next setting", show=False),
        Binding("home", "choose(-100)", "First setting", show=False),
        Binding("end", "choose(100)", "Last setting", show=False),
        Binding("left,minus", "tweak(-1)", "Less", show=False),
        Binding("right,plus,equals_sign", "tweak(1)", "More", show=False),
        Binding("shift+left,underscore,pagedown", "tweak(-1, 10)", "Ten times less", show=False),
        Binding("shift+right,shift+plus,pageup", "tweak(1, 10)", "Ten times more", show=False),
    ]

    position: reactive[int] = reactive(0)

    @dataclass
    class Changed(Message):
        """The value of `field` became another one."""

        field: str

    def __init__(self, start: GenerationParams | None = None, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.settings = Settings(start, self._value_changed)
        self._refusal = ""
        self._begins_anew = True

    @property
    def setting(self) -> Setting:
        """The chosen row."""
        return SETTINGS[self.position]

    @property
    def is_typing(self) -> bool:
        """Whether the chosen value is being typed."""
        return self.setting.field in self.settings.drafts

    def show_field(self, field: str) -> None:
        """Choose the row of `field`."""
        self._finish_typing()
        self.position = _position_of(field)

    def update(self, field: str, value: object) -> None:
        """Show a value that was decided elsewhere."""
        self.settings.revert(field)
        self.settings.set(field, value)
        self.refresh()

    def _value_changed(self, field: str) -> None:
        self.refresh()
        self.post_message(self.Changed(field))

    # Keys --------------------------------------------------------------------------------------

    def action_choose(self, direction: int) -> None:
        """Move to another row."""
        self._finish_typing()
        self.position = min(max(self.position + direction, 0), len(SETTINGS) - 1)

    def action_tweak(self, direction: int, times: int = 1) -> None:
        """Change the chosen value."""
        self._refusal = ""
        self.settings.tweak(self.setting, direction, times=times)
        self.refresh()

    async def on_key(self, event: events.Key) -> None:
        """Typing replaces the value; while it goes on, every printable key belongs to it.

        The pane's own keys are obeyed here: a binding would be run behind what is typed after it.
        """
        character = event.character if event.is_printable else None
        if self.is_typing and event.key == "enter":
            self._finish_typing()
        elif self.is_typing and event.key == "escape":
            self._refusal = ""
            self.settings.revert(self.setting.field)
        elif event.key in ("backspace", "delete"):
            self._refusal = ""
            self._type(self.settings.drafts.get(self.setting.field, "")[:-1])
        elif character and (self.is_typing or character in self._typeable):
            self._type_character(character)
        elif own := self._bindings.key_to_bindings.get(event.key):
            await self.run_action(own[0].action)
        else:
            return
        event.stop()
        event.prevent_default()
        self.refresh()

    def on_paste(self, event: events.Paste) -> None:
        """Pasted text replaces the value."""
        event.stop()
        self._refusal = ""
        self._type(event.text.strip())
        self.refresh()

    def on_blur(self) -> None:
        """Leaving the pane ends the typing."""
        self._finish_typing()

    @property
    def _typeable(self) -> frozenset[str]:
        """What begins a value, and what a number may hold. Letters begin none: they are keys."""
        if self.setting.is_choice:
            return frozenset()
        return _DIGITS | {"."} if self.setting.step < 1 else _DIGITS

    def _type_character(self, character: str) -> None:
        if self.setting.is_choice or character in self._typeable:
            before = "" if self._begins_anew else self.settings.drafts.get(self.setting.field, "")
            self._type(before + character)
        else:
            # It stays to be seen, whatever is typed on: "1e9" has become 19.
            name = "a space" if character.isspace() else character
            self._refusal = f"{name} left out: no digit"

    def _type(self, draft: str) -> None:
        if not self.is_typing:
            self._refusal = ""
        self._begins_anew = False
        self.settings.type(self.setting.field, draft)

    def _finish_typing(self) -> None:
        """What is impossible stays to be seen and mended; a new value takes its place."""
        self._refusal = ""
        self._begins_anew = True
        self.settings.finish(self.setting.field)
        self.refresh()

    # Mouse -------------------------------------------------------------------------------------

    def on_click(self, event: events.Click) -> None:
        """A click chooses a row; on the arrows at its end it changes the value."""
        position = self._position_at(event.y)
        if position is None:
            return
        self._finish_typing()
        was_chosen = position == self.position
        self.position = position
        if was_chosen and event.x >= self.size.width - 2:
            self.action_tweak(1)
        elif was_chosen and event.x == self._arrow_x():
            self.action_tweak(-1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel changes the value under the pointer."""
        self._scroll(event, 1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel changes the value under the pointer."""
        self._scroll(event, -1)

    def _scroll(self, event: events.MouseEvent, direction: int) -> None:
        position = self._position_at(event.y)
        if position is not None:
            event.stop()
            if position != self.position:
                self._finish_typing()
                self.position = position
            self.action_tweak(direction)

    # Drawing -----------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """One line: a row, the reason why one is impossible, or nothing."""
        width = self.size.width
        reason = self._reason_at(y)
        if reason is not None:
            return Strip(self._segments([(f" {reason}", "error")])).adjust_cell_length(
                width, self.rich_style
            )
        position = self._position_at(y)
        if position is None:
            return Strip.blank(width, self.rich_style)
        return Strip(self._row(position, width))

    def _row(self, position: int, width: int) -> list[Segment]:
        setting = SETTINGS[position]
        chosen = self.has_focus and position == self.position
        typing = chosen and self.is_typing
        failed = self.settings.error(setting.field) is not None
        unit = f" {setting.unit}" if setting.unit else ""
        room = width - len(setting.label) - len(unit) - 5
        value = _shortened(clean(self.settings.text(setting)), room, keep_end=typing)
        gap = width - len(setting.label) - len(unit) - cell_len(value) - 3
        parts = [
            (f" {setting.label}{' ' * gap}", "label"),
            ("‹" if chosen and not typing else " ", "chosen"),
            (value, "error" if failed else "chosen" if chosen else "value"),
            (unit, "unit"),
            ("▏" if typing else "›" if chosen else " ", "chosen"),
        ]
        return self._segments(parts, on_row=chosen)

    def _segments(self, parts: list[tuple[str, str]], *, on_row: bool = False) -> list[Segment]:
        base = self.rich_style + self._style("row") if on_row else self.rich_style
        return [Segment(text, base + self._style(part)) for text, part in parts]

    def _arrow_x(self) -> int:
        setting = self.setting
        unit = len(setting.unit) + 1 if setting.unit else 0
        return self.size.width - len(self.settings.text(setting)) - unit - 2

    def _reason_at(self, y: int) -> str | None:
        """The line of the reason why a row is impossible, if that is what stands there."""
        top, lines = self._reason_lines()
        return lines[y - top] if top <= y < top + len(lines) else None

    def _reason_lines(self) -> tuple[int, list[str]]:
        """Where the reason begins, and its lines.

        It covers no row: it stands below its own or above it where a gap has room for it, else
        below all of them, and says there whose it is. That of the chosen row comes first.
        """
        fields = [self.setting.field, *self.settings.drafts]
        field = next((field for field in fields if self._reason(field)), None)
        if field is None:
            return 0, []
        reason, position = clean(self._reason(field)), _position_of(field)
        width = max(self.size.width - 2, 1)
        lines, y = wrap(reason, width), self._y_of(position)
        for top in (y + 1, y - len(lines)):
            if all(self._is_free(line) for line in range(top, top + len(lines))):
                return top, lines
        top = self._y_of(len(SETTINGS) - 1) + 1
        room = self.size.height - top
        words = f"{SETTINGS[position].label} {reason}"
        return top, wrap(words, width, max_lines=room, placeholder=" …") if room > 0 else []

    def _is_free(self, y: int) -> bool:
        return 0 <= y < self.size.height and self._position_at(y) is None

    def _reason(self, field: str) -> str:
        """Why a draft is impossible, or what was left out of it; empty where all is well."""
        if error := self.settings.error(field):
            return f"{error.reason}. {error.remedy}" if error.remedy else error.reason
        return self._refusal if self.is_typing and field == self.setting.field else ""

    def _style(self, part: str) -> Style:
        return self.get_component_rich_style(f"parameter-panel--{part}", partial=True)

    def _has_gaps(self) -> bool:
        """Whether the rows may stand in groups: there must be room for a reason below them."""
        room_for_a_reason = ceil(_USUAL_REASON / max(self.size.width - 2, 1))
        return self.size.height >= _ROWS_WITH_GAPS + room_for_a_reason

    def _y_of(self, position: int) -> int:
        gaps = sum(row.starts_group for row in SETTINGS[: position + 1]) if self._has_gaps() else 0
        return position + gaps

    def _position_at(self, y: int) -> int | None:
        return next((i for i in range(len(SETTINGS)) if self._y_of(i) == y), None)


def _position_of(field: str) -> int:
    return next(i for i, row in enumerate(SETTINGS) if row.field == field)


def _shortened(text: str, room: int, *, keep_end: bool) -> str:
    if cell_len(text) <= room:
        return text
    return f"…{text[-(room - 1) :]}" if keep_end else f"{set_cell_size(text, room - 1)}…"
