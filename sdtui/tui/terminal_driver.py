"""The terminal's input, in whatever shape it comes."""

from __future__ import annotations

import os
import selectors
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator

from textual import events
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.keys import Keys
from textual.message import Message

_READ_BYTES = 4096
_WAIT_SECONDS = 0.1
"""How soon a lone ESC is told from the beginning of a sequence, and the end is noticed."""
_SHORTEST_BURST = 100
_WHITESPACE = {"enter": "\n", "ctrl+j": "\n", "tab": "\t"}
"""What these keys stand for where they come in the middle of a burst of text."""


class TerminalDriver(LinuxDriver):
    """Reads on where Textual's own driver fails or falls behind.

    Bytes that are no UTF-8 become U+FFFD, and a key that does not exist is none: both would end
    the interface. A long run of text without the marks of a paste is made one: key by key, twenty
    thousand characters take a minute in which nothing else happens, and every line of them would
    ask for a picture.
    """

    def run_input_thread(self) -> None:
        """Read, parse and pass on, until the driver is closed."""
        parser = _Parser(self._debug)
        decoder = getincrementaldecoder("utf-8")(errors="replace")
        # Where the default one is a kqueue, it may not take terminals.
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(_WAIT_SECONDS):
                    data = os.read(self.fileno, _READ_BYTES)
                    if not data:
                        # The terminal is gone. Its signal ends the interface, which waits for this.
                        return
                    goes_on = bool(selector.select(0))
                    # A character may have come in part, and the parser takes no text for the end.
                    text = decoder.decode(data)
                    messages = parser.feed(text) if text else ()
                    for message in with_bursts_as_pastes(messages, goes_on):
                        self.process_message(message)
                for message in parser.tick():
                    self.process_message(message)


class _Parser(XTermParser):
    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterator[events.Key]:
        try:
            yield from super()._sequence_to_key_events(sequence, alt)
        except (ValueError, OverflowError):
            # Its number is no character's.
            yield events.Key(Keys.Ignore, sequence)


def with_bursts_as_pastes(messages: Iterable[Message], goes_on: bool) -> Iterator[Message]:
    """The messages of one reading, with each long run of text as one paste.

    Enter and Tab belong to the text where more of it follows, also in the next reading if the
    input `goes_on`; behind the last of it they are the keys that were pressed.
    """
    run: list[events.Key] = []
    for message in messages:
        if isinstance(message, events.Key) and (_is_text(message) or message.key in _WHITESPACE):
            run.append(message)
        else:
            yield from _as_paste(run, goes_on=False)
            run = []
            yield message
    yield from _as_paste(run, goes_on)


def _as_paste(run: list[events.Key], goes_on: bool) -> Iterator[Message]:
    length = len(run)
    while length and not goes_on and run[length - 1].key in _WHITESPACE:
        length -= 1
    if length >= _SHORTEST_BURST:
        text = (_WHITESPACE.get(key.key) or key.character or "" for key in run[:length])
        yield events.Paste("".join(text))
        run = run[length:]
    for key in run:
        # Textual takes a key for text only if its character is seen, which a joiner's is not.
        is_unseen = _is_text(key) and not key.is_printable
        yield events.Paste(key.character or "") if is_unseen else key


def _is_text(key: events.Key) -> bool:
    character = key.character or ""
    return key.is_printable or (character >= "\xa0" and not "\ud800" <= character <= "\udfff")
