"""What goes to a terminal, written by a thread of its own: whoever writes never waits for it."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable


class TerminalOutput(threading.Thread):
    """Writes what it is given, in order, as UTF-8; once the terminal is gone, it goes nowhere.

    `when_gone` is called once then; `when_behind` with True when more than `most_waiting` waits
    because the terminal takes nothing, and with False when all of it has been taken. Both from any
    thread.
    """

    def __init__(
        self,
        descriptor: int,
        *,
        most_waiting: Callable[[], int],
        when_gone: Callable[[], object],
        when_behind: Callable[[bool], object],
    ) -> None:
        super().__init__(name="terminal-output", daemon=True)
        self._descriptor = descriptor
        self._most_waiting = most_waiting
        self._when_gone = when_gone
        self._when_behind = when_behind
        self._changed = threading.Condition()
        self._waiting: list[str] = []
        self._is_behind = False
        self._is_finishing = False

    def write(self, text: str) -> None:
        """Add text to what waits; returns at once."""
        with self._changed:
            self._waiting.append(text)
            if not self._is_behind and sum(map(len, self._waiting)) > self._most_waiting():
                self._is_behind = True
                self._when_behind(True)
            self._changed.notify()

    def finish(self) -> None:
        """Return when everything is written."""
        with self._changed:
            self._is_finishing = True
            self._changed.notify()
        self.join()

    def run(self) -> None:
        """Write until `finish`."""
        is_gone = False
        while (text := self._next()) is not None:
            if not is_gone:
                try:
                    self._send(text.encode(errors="backslashreplace"))
                except OSError:
                    is_gone = True
                    self._when_gone()

    def _next(self) -> str | None:
        """All that waits, or None when nothing more will come."""
        with self._changed:
            if self._is_behind and not self._waiting:
                self._is_behind = False
                self._when_behind(False)
            self._changed.wait_for(lambda: self._waiting or self._is_finishing)
            if not self._waiting:
                return None
            text = "".join(self._waiting)
            self._waiting.clear()
            return text

    def _send(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:
                # Another program that shares the terminal has told it not to block.
                select.select([], [self._descriptor], [])
