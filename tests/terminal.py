"""A program in a real pseudo-terminal, and the screen that a person would see there."""

from __future__ import annotations

import contextlib
import fcntl
import inspect
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import pyte

_PATIENCE_SECONDS = 120.0
"""Only a hanging program meets this: a busy machine is not a failure."""


_ANSWERS = {
    b"\x1b[?2026$p": b"\x1b[?2026;2$y",
    b"\x1b[?2048$p": b"\x1b[?2048;2$y",
    b"\x1b[c": b"\x1b[?62;22c",
    b"\x1b[5n": b"\x1b[0n",
}
"""Asked for them, modern terminals say that they know these modes, and that they are off; and what
they are: ones with colours and no graphics."""


class _Screen(pyte.Screen):
    """A screen that leaves out what makes no sense in a control, as terminals do.

    Where a program's end cuts a sequence short, the next program's first letter ends it.
    """

    def erase_in_display(self, how: int = 0, *surplus: int, **private: bool) -> None:
        if how in range(4):
            super().erase_in_display(how)

    def erase_in_line(self, how: int = 0, private: bool = False) -> None:
        if how in range(3):
            super().erase_in_line(how)


def _without_surplus(name: str) -> Callable[..., None]:
    control = getattr(_Screen, name)
    kinds = [parameter.kind for parameter in inspect.signature(control).parameters.values()]
    most = kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD) - 1
    if inspect.Parameter.VAR_POSITIONAL in kinds:
        most = sys.maxsize
    is_told = inspect.Parameter.VAR_KEYWORD in kinds

    def take(self: pyte.Screen, *values: int, **private: bool) -> None:
        control(self, *values[:most], **(private if is_told else {}))

    return take


for _name in set(pyte.Stream.csi.values()):
    setattr(_Screen, _name, _without_surplus(_name))


class Terminal:
    """A child on a pseudo-terminal of its own; leaving the context ends the child.

    With `answers`, it speaks up when it is asked for its modes or what it is, as modern terminals
    do.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        columns: int = 100,
        lines: int = 30,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        answers: bool = False,
    ) -> None:
        self._answers = _ANSWERS if answers else {}
        self._kept: list[bytes] | None = None
        self._screen = _Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self.output = b""
        self._tail = b""
        self._ours, theirs = pty.openpty()
        self.first_attributes = self.attributes
        self._name = os.ttyname(theirs)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        # These would hide the terminal's size; pytest's parallel workers set them.
        for name in ("COLUMNS", "LINES"):
            environment.pop(name, None)
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**environment, **(env or {})},
            cwd=cwd,
            # The pseudo-terminal becomes the controlling one, so that Ctrl+C is a signal.
            preexec_fn=lambda: _take_terminal(theirs),
        )
        os.close(theirs)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.hang_up()

    @property
    def screen(self) -> pyte.Screen:
        """The screen, cell by cell."""
        return self._screen

    @property
    def text(self) -> str:
        """What the screen shows now."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    @property
    def attributes(self) -> list[int | list[bytes | int]]:
        """What `stty` tells: how the terminal treats lines, echo and signals."""
        return termios.tcgetattr(self._ours)

    def send(self, keys: str) -> None:
        """Type."""
        os.write(self._ours, keys.encode())

    def freeze(self) -> None:
        """Take no more output from here on, as a link that stalls does."""
        self._control_flow(termios.TCOOFF)

    def thaw(self) -> None:
        """Take output again."""
        self._control_flow(termios.TCOON)

    def keep_answers(self) -> None:
        """Answer no more questions, as while they are on a slow way, until `give_answers`."""
        self._kept = []

    def give_answers(self) -> None:
        """Answer what was asked meanwhile, and at once from here on."""
        kept, self._kept = self._kept, None
        os.write(self._ours, b"".join(kept or []))

    def _control_flow(self, action: int) -> None:
        theirs = os.open(self._name, os.O_RDWR | os.O_NOCTTY)
        termios.tcflow(theirs, action)
        os.close(theirs)

    def erase(self) -> None:
        """Lose what the screen shows, as to another program that had the terminal meanwhile."""
        self._screen.reset()

    def hang_up(self) -> None:
        """Close the terminal, as a window that is closed or a link that breaks does."""
        if self._ours >= 0:
            os.close(self._ours)
            self._ours = -1

    def wait_for(self, what: str | Callable[[str], bool]) -> str:
        """Read until the screen shows `what`, and return the screen's text."""
        shown = (lambda text: what in text) if isinstance(what, str) else what
        while not shown(self.text):
            if not self._read():
                raise AssertionError(f"{what!r} never appeared; the screen at last:\n{self.text}")
        return self.text

    def watch(self, seconds: float) -> None:
        """Read along for a while, or until the child's end."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self._ours], [], [], left)[0] and not self._read():
                return

    def wait_for_exit(self) -> int:
        """Read to the end and return the exit code."""
        while self._ours >= 0 and self._read():
            pass
        return self.process.wait(_PATIENCE_SECONDS)

    def _read(self) -> bool:
        """Take in what the child wrote; false at its end."""
        if not select.select([self._ours], [], [], _PATIENCE_SECONDS)[0]:
            raise AssertionError(f"nothing came any more; the screen at last:\n{self.text}")
        data = b""
        # Linux reports the other side's end as an error.
        with contextlib.suppress(OSError):
            data = os.read(self._ours, 65536)
        # A question may come in two parts.
        window = self._tail + data
        for question, answer in self._answers.items():
            for _ in range(window.count(question) - self._tail.count(question)):
                if self._kept is None:
                    os.write(self._ours, answer)
                else:
                    self._kept.append(answer)
        self._tail = window[-16:]
        self.output += data
        self._stream.feed(data)
        return bool(data)


def _take_terminal(descriptor: int) -> None:
    # Whoever runs the tests may ignore it, under nohup above all; a terminal's programs do not.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.setsid()
    fcntl.ioctl(descriptor, termios.TIOCSCTTY, 0)
