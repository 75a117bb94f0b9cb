"""What is typed is acted upon in its order, also where it comes faster than that.

Textual gives a key to whoever has the focus when the key comes, and finds out only later that no
widget wants it and that a binding does. What is typed right behind a key that moves the focus, as a
slow link or a paste brings it, would go where the focus was: the letters of a search to the list,
which takes them for commands.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from time import monotonic
from typing import Any

from textual import events
from textual.app import App, ReturnType
from textual.message import Message
from textual.message_pump import MessagePump

_PATIENCE_SECONDS = 0.5
"""A key that is being acted upon for longer, or was lost with its widget, holds up no other."""

_START_SECONDS = 20.0
"""A screen takes no longer to be there, on a machine that is slow and busy."""


class TypedInOrder(App[ReturnType]):
    """Hands keys and pastes out one by one, each when the one before it has been acted upon."""

    @dataclass
    class ActedUpon(Message):
        """Follows what was typed on its way from the focus up to the application, and is last."""

        number: int

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._typed: deque[events.Key | events.Paste] = deque()
        self._handed_out = 0
        self._busy_until = 0.0
        self._is_open = False

    async def on_event(self, event: events.Event) -> None:
        """Let what is typed wait for what was typed before."""
        if not isinstance(event, events.Key | events.Paste) or event.is_forwarded:
            await super().on_event(event)
            return
        self._typed.append(event)
        if not self._is_open:
            # What is typed while the program starts waits until the screen has given the focus.
            self._is_open = True
            if self._wait_for(self.screen):
                self._busy_until = monotonic() + _START_SECONDS
                return
        if monotonic() >= self._busy_until:
            await self._hand_out_next()

    async def hand_out(self, event: events.Key | events.Paste) -> None:
        """Give what was typed to the focus."""
        await super().on_event(event)

    async def _hand_out_next(self) -> None:
        while self._typed:
            follows = self.focused or self.screen
            self._handed_out += 1
            await self.hand_out(self._typed.popleft())
            if self._wait_for(follows):
                return

    def _wait_for(self, busy: MessagePump) -> bool:
        """Go on when `busy` has done what it has to; False if it never will."""
        will = busy.post_message(self.ActedUpon(self._handed_out))
        if will:
            self._busy_until = monotonic() + _PATIENCE_SECONDS
        return will

    def on_typed_in_order_acted_upon(self, event: ActedUpon) -> None:
        """Go on, after what is still to be done for it: `Widget.focus` is such a callback."""
        event.stop()
        if event.number == self._handed_out:
            self.call_later(self._go_on)

    async def _go_on(self) -> None:
        self._busy_until = 0.0
        await self._hand_out_next()
