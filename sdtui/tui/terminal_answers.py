"""What the terminal says of itself: asked behind the first paint, answered whenever it likes.

What most terminals do not know, some of them print, so it is asked only of those that have first
said that they are one that knows it.

Nothing waits for the answers. They come in among the keys, so the parser of Textual's input takes
them out and hands them on as messages; to Textual they would be keys that nobody pressed.
"""

from __future__ import annotations

import fcntl
import re
import struct
import termios
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from time import monotonic

from textual._xterm_parser import XTermParser
from textual.message import Message

from sdtui.tui.renderers.choice import has_placeholders
from sdtui.tui.renderers.tmux import through_tmux

KITTY_QUERY = "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"
"""Would one white pixel be taken? tmux takes this for a pane's title, and others print it."""
NAME_QUERY = "\x1b[>q"
CELL_SIZE_QUERY = "\x1b[16t"
DEVICE_ATTRIBUTES_QUERY = "\x1b[c"
"""Every terminal answers this, so it comes last: what has not been answered by then will not be."""

_PRINTING = ("", "dumb", "unknown", "linux")
"""What these do not know, they print."""

_MULTIPLEXER = "tmux"

_SIXEL = "4"
# Compiled when they are first used: the first paint does not wait for it.
_ANSWER = (
    r"\x1b_G(?P<kitty>[^\x1b]*)\x1b\\"
    r"|\x1bP>\|(?P<name>[^\x1b]*)\x1b\\"
    r"|\x1b\[6;(?P<height>\d+);(?P<width>\d+)t"
    r"|\x1b\[\?(?P<attributes>[\d;]*)c"
)
_BEGINNING = r"\x1b(_(G[^\x1b]*\x1b?)?|P(>(\|[^\x1b]*\x1b?)?)?|\[(6(;\d*(;\d*)?)?|\?[\d;]*)?)?$"
_CELL_SIZE_BEGINNING = r"\x1b\[(6[\d;]*)?"
_LONGEST = 256
_GAP_SECONDS = 0.1
"""Two parts of one answer come no further apart than this."""
_EXPECTED_SECONDS = 5.0
"""So long after the input began is the beginning of an answer not taken for a key at once."""


@dataclass(frozen=True)
class TerminalAnswers:
    """What has been answered so far. `cell` is a cell's width and height in pixels.

    `is_complete` once the terminal has answered what every terminal answers; whether it has Kitty's
    graphics is asked behind that.
    """

    kitty: bool = False
    sixel: bool = False
    name: str = ""
    cell: tuple[int, int] | None = None
    is_complete: bool = False

    def with_answer(self, answer: re.Match[str]) -> TerminalAnswers:
        """These answers and one more."""
        parts = answer.groupdict()
        if parts["kitty"] is not None:
            return replace(self, kitty=parts["kitty"].endswith(";OK"))
        if parts["name"] is not None:
            return replace(self, name=parts["name"])
        if parts["width"] is not None:
            width, height = int(parts["width"]), int(parts["height"])
            return replace(self, cell=(width, height) if width and height else None)
        attributes = (parts["attributes"] or "").split(";")
        return replace(self, sixel=_SIXEL in attributes[1:], is_complete=True)


@dataclass
class TerminalAnswered(Message):
    """The terminal has said something of itself; these are all its answers up to now."""

    answers: TerminalAnswers


def questions(environment: Mapping[str, str]) -> str:
    """What every terminal is asked, in one piece; nothing where it prints what it does not know."""
    term = environment.get("TERM", "")
    if term in _PRINTING or environment.get("TERM_PROGRAM") == "Apple_Terminal":
        return ""
    return NAME_QUERY + CELL_SIZE_QUERY + DEVICE_ATTRIBUTES_QUERY


def kitty_question(name: str, environment: Mapping[str, str]) -> str:
    """What asks a terminal of this name for Kitty's graphics; nothing where it has none.

    tmux is asked to pass it on: `name` is that of the terminal outside.
    """
    if not has_placeholders(name):
        return ""
    return through_tmux(KITTY_QUERY) if environment.get("TMUX") else KITTY_QUERY


def cell_of_window(descriptor: int) -> tuple[int, int] | None:
    """A cell's width and height in pixels as the pseudo-terminal has them, where it has them."""
    try:
        size = fcntl.ioctl(descriptor, termios.TIOCGWINSZ, bytes(8))
    except OSError:
        return None
    rows, columns, width, height = struct.unpack("HHHH", size)
    return (width // columns, height // rows) if columns and rows and width and height else None


class AnswerReader:
    """Takes answers out of what comes from a terminal, also where reads cut them in two."""

    def __init__(self) -> None:
        self.answers = TerminalAnswers()
        self._held = ""
        self._held_at = 0.0
        self._expects_until = monotonic() + _EXPECTED_SECONDS

    def take(self, data: str) -> str:
        """Learn from `data`; what of it is no answer. The beginning of one is held back."""
        data = self._held + data
        self._held = ""
        for answer in re.finditer(_ANSWER, data):
            self.answers = self.answers.with_answer(answer)
        data = re.sub(_ANSWER, "", data)
        beginning = re.search(_BEGINNING, data)
        if beginning and self._expects(beginning.group()):
            self._held, self._held_at = beginning.group(), monotonic()
            data = data[: beginning.start()]
        return data

    def _expects(self, beginning: str) -> bool:
        """Whether an answer may begin so. A cell's size is asked for again at any time."""
        is_early = not self._is_settled and monotonic() < self._expects_until
        may_begin = is_early or re.fullmatch(_CELL_SIZE_BEGINNING, beginning)
        return bool(may_begin) and len(beginning) < _LONGEST

    @property
    def _is_settled(self) -> bool:
        """Whether all is answered; in tmux, the terminal outside may be asked for more."""
        answers = self.answers
        is_asked_more = has_placeholders(answers.name) or answers.name.startswith(_MULTIPLEXER)
        return answers.is_complete and (answers.kitty or not is_asked_more)

    def release(self, after_seconds: float = 0.0) -> str:
        """What was held back for so long and so is no beginning, such as the escape key."""
        if monotonic() - self._held_at < after_seconds:
            return ""
        held, self._held = self._held, ""
        return held


class AnswerParser(XTermParser):
    """Textual's parser of a terminal's input, which knows the answers."""

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        self._reader = AnswerReader()
        self._told = self._reader.answers

    def feed(self, data: str) -> Iterable[Message]:
        """Messages for what came; no data is the end of it."""
        rest = self._reader.take(data) if data else self._reader.release()
        if self._reader.answers != self._told:
            self._told = self._reader.answers
            yield TerminalAnswered(self._told)
        if rest:
            yield from super().feed(rest)
        if not data:
            yield from super().feed(data)

    def tick(self) -> Iterable[Message]:
        """Messages for what nothing more came of."""
        held = self._reader.release(_GAP_SECONDS)
        if held:
            yield from super().feed(held)
        yield from super().tick()
