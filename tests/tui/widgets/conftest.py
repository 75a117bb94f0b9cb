"""What the tests of the widgets share: an app in the house's themes, and a real terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic

import pyte
import pytest
from textual.app import App, ComposeResult
from textual.widget import Widget

from sdtui.tui.themes import DARK, LIGHT

GIVE_UP_AFTER = 20.0


class Stage(App[None]):
    """An app that holds the widgets under test, one below the other."""

    CSS = "Preview, TokenLog { height: 1fr; }"

    def __init__(self, *widgets: Widget, light: bool = False) -> None:
        super().__init__()
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = LIGHT.name if light else DARK.name
        self._widgets = widgets
        self.heard: list[object] = []

    def compose(self) -> ComposeResult:
        """The widgets."""
        yield from self._widgets


@pytest.fixture
def stage() -> type[Stage]:
    """The app's class; call it with the widgets to show."""
    return Stage


class Terminal:
    """What a child process shows on a pty."""

    def __init__(self, process: subprocess.Popen[bytes], fd: int, screen: pyte.Screen) -> None:
        self.process = process
        self.screen = screen
        self._fd = fd
        self._stream = pyte.ByteStream(screen)

    def type(self, keys: str) -> None:
        """Send keys."""
        os.write(self._fd, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size and say so to the child."""
        self.screen.resize(rows, columns)
        _set_size(self._fd, columns, rows)
        self.process.send_signal(signal.SIGWINCH)

    def wait_for(self, text: str) -> None:
        """Read until `text` stands on the screen."""
        self.wait_until(lambda: any(text in line for line in self.screen.display), repr(text))

    def wait_until(self, shown: Callable[[], object], what: str) -> None:
        """Read until `shown()` holds; `what` names it where it never does."""
        end = monotonic() + GIVE_UP_AFTER
        while not shown():
            if monotonic() > end or not self._read():
                screen = "\n".join(self.screen.display)
                raise AssertionError(f"{what} was never shown:\n{screen}")

    def _read(self) -> bool:
        readable, _, _ = select.select([self._fd], [], [], GIVE_UP_AFTER)
        if not readable:
            return False
        try:
            received = os.read(self._fd, 1 << 16)
        except OSError:
            return False
        self._stream.feed(received)
        return bool(received)


@pytest.fixture
def open_terminal() -> Iterator[Callable[..., Terminal]]:
    """Runs a script of this folder on a terminal: `open_terminal("script.py", 80, 24, TERM=…)`."""
    with ExitStack() as stack:
        yield lambda script, columns, rows, **environment: stack.enter_context(
            _terminal(Path(__file__).parent / script, columns, rows, environment)
        )


@contextmanager
def _terminal(
    script: Path, columns: int, rows: int, environment: dict[str, str]
) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    _set_size(ours, columns, rows)
    inherited = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=inherited | {"TERM": "xterm-256color", "COLORTERM": "truecolor"} | environment,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours, pyte.Screen(columns, rows))
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _set_size(fd: int, columns: int, rows: int) -> None:
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
