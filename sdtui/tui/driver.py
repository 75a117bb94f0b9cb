"""Textual's driver for a terminal that may go away at any time, and may stop taking output.

When the other side of a terminal is gone, Textual's own writer dies of the first error, and its
queue then blocks the event loop for ever; its reader turns the error into a crash, or spins on the
end of the file. An interface that nobody can see any more would be left behind.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from codecs import getincrementaldecoder
from collections.abc import Callable

from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from sdtui.tui.terminal_input import InputParser, with_bursts_as_pastes

_READ_BYTES = 4096
_TICK_SECONDS = 0.1
"""How often the parser is asked whether a lone ESC was the key, and the end is looked for."""


class TerminalDriver(LinuxDriver):
    """Tells the application when its terminal is gone; its output never blocks the event loop."""

    class TerminalGone(Message):
        """Nobody reads or types any more."""

    def start_application_mode(self) -> None:
        """Take the terminal over."""
        terminal = sys.__stdout__
        assert terminal is not None, "the interface has a terminal"
        # Textual's writer is started too, and stays idle.
        self._output = _Output(terminal.fileno(), terminal.encoding, self._tell_gone)
        self._output.start()
        super().start_application_mode()

    def write(self, data: str) -> None:
        """Send text to the terminal, in order, some time soon."""
        self._output.write(data)

    def close(self) -> None:
        """Let everything be written that can be."""
        super().close()
        self._output.finish()

    def run_input_thread(self) -> None:
        """Turn what is typed into events, until the input is disabled or the terminal is gone."""
        parser = InputParser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        while not self.exit_event.is_set():
            if select.select([self.fileno], [], [], _TICK_SECONDS)[0]:
                try:
                    typed = os.read(self.fileno, _READ_BYTES)
                except OSError:
                    typed = b""
                if not typed:
                    self._tell_gone()
                    return
                # To the parser, empty text is the end: half a character is no text yet.
                if text := decode(typed):
                    goes_on = bool(select.select([self.fileno], [], [], 0)[0])
                    for event in with_bursts_as_pastes(parser.feed(text), goes_on):
                        self.process_message(event)
            for event in parser.tick():
                self.process_message(event)

    def _tell_gone(self) -> None:
        self.send_message(self.TerminalGone())


class _Output(threading.Thread):
    """Writes what it is given, in order; once the terminal is gone, it goes nowhere."""

    def __init__(self, descriptor: int, encoding: str, when_gone: Callable[[], None]) -> None:
        super().__init__(name="terminal-output", daemon=True)
        self._descriptor = descriptor
        self._encoding = encoding
        self._when_gone = when_gone
        self._changed = threading.Condition()
        self._waiting: list[str] = []
        self._finishing = False

    def write(self, text: str) -> None:
        """Add text to what waits; returns at once."""
        with self._changed:
            self._waiting.append(text)
            self._changed.notify()

    def finish(self) -> None:
        """Return when everything is written."""
        with self._changed:
            self._finishing = True
            self._changed.notify()
        self.join()

    def run(self) -> None:
        """Write until `finish`."""
        is_gone = False
        while text := self._next():
            if not is_gone:
                try:
                    self._send(text.encode(self._encoding, "backslashreplace"))
                except OSError:
                    is_gone = True
                    self._when_gone()

    def _next(self) -> str:
        """All that waits; empty when nothing more will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._finishing)
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
