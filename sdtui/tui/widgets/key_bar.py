"""The footer: the keys of the actions, as many as the width holds, always in the same places."""

from __future__ import annotations

from collections.abc import Iterator

from textual import events
from textual.content import Content
from textual.widget import Widget

from sdtui.tui.actions import ACTIONS, Action

_GAP = 3


class KeyBar(Widget):
    """One line of keys and what they do. A click does it."""

    DEFAULT_CSS = """
    KeyBar { height: 1; }
    """

    def __init__(self, actions: tuple[Action, ...] = ACTIONS, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._actions = actions

    def show(self, actions: tuple[Action, ...]) -> None:
        """Name the keys of other actions."""
        self._actions = actions
        self.refresh()

    def render(self) -> Content:
        """The actions with the lowest footer numbers that fit, in the registry's order."""
        parts: list[str | Content | tuple[str, str]] = [" "]
        for _, action in self._places():
            parts += [(action.key, "$value"), (f" {action.name}", "$label"), " " * _GAP]
        return Content.assemble(*parts)

    async def on_click(self, event: events.Click) -> None:
        """Do what the key under the pointer does."""
        for x, action in self._places():
            if x <= event.x < x + _width(action):
                await self.run_action(action.target)

    def _places(self) -> Iterator[tuple[int, Action]]:
        x = 1
        for action in self._fitting(self.size.width - 2):
            yield x, action
            x += _width(action) + _GAP

    def _fitting(self, width: int) -> list[Action]:
        wanted = sorted((a for a in self._actions if a.footer), key=lambda action: action.footer)
        chosen: list[Action] = []
        for action in wanted:
            room = sum(_width(a) for a in [*chosen, action]) + _GAP * len(chosen)
            if room > width:
                break
            chosen.append(action)
        return [action for action in self._actions if action in chosen]


def _width(action: Action) -> int:
    return len(action.key) + 1 + len(action.name)
