"""What a terminal sends, as messages: with two things that Textual's own parser does not survive.

A key whose number is no character's ends the interface there. A paste without its marks comes key
by key: twenty thousand characters then take a minute in which nothing else happens, and the end of
every line asks for a picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from textual import events
from textual.keys import Keys
from textual.message import Message

from sdtui.tui.in_transit import ANSWER as WELL
from sdtui.tui.terminal_answers import AnswerParser

_SHORTEST_BURST = 100
_WHITESPACE = {"enter": "\n", "ctrl+j": "\n", "tab": "\t"}
"""What these keys stand for where they come in the middle of a burst of text."""


class InputParser(AnswerParser):
    """Textual's parser, to which a key that does not exist is none, and an answer no key.

    `when_well` is called each time that the terminal says that it is well.
    """

    def __init__(self, debug: bool = False, when_well: Callable[[], object] = lambda: None) -> None:
        super().__init__(debug)
        self._when_well = when_well

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterator[events.Key]:
        if sequence == WELL:
            self._when_well()
            yield events.Key(Keys.Ignore, sequence)
            return
        try:
            yield from super()._sequence_to_key_events(sequence, alt)
        except (ValueError, OverflowError):
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
