"""The interface as a user starts it, in a terminal, with the launcher above it."""

from __future__ import annotations

import sys
import textwrap

from tests.engine.processes import children, wait_for
from tests.terminal import Terminal

WITH_A_FAKE_ENGINE = textwrap.dedent(
    """
    import sys
    from sdtui import cli
    from sdtui.tui import app
    from sdtui.tui.screens.main import MainScreen
    from tests.tui.fake_engine import FakeEngineClient
    from tests.tui.stage import params

    async def connect():
        return FakeEngineClient(stop_after=12)

    def broken(self):
        password = "hunter" + "2"
        raise RuntimeError("no such [thing]")

    MainScreen.action_new_seed = broken
    app.SdtuiApp.__init__.__defaults__ = (connect, params())
    sys.exit(cli.main([]))
    """
)
"""sdtui with its prompt filled in; Ctrl+R meets a defect."""

GENERATE, QUIT, FAIL, SUSPEND = "\r", "\x11", "\x12", "\x1a"
CHANGE_THEME = "\x1b[20~"


def with_a_fake_engine(program: str = WITH_A_FAKE_ENGINE) -> Terminal:
    """The interface on an engine that holds every run after twelve steps."""
    return Terminal([sys.executable, "-c", program], answers=True)


def interface(**size: int) -> Terminal:
    """`sdtui`, as a user starts it."""
    return Terminal([sys.executable, "-m", "sdtui"], **size)


def process_of(terminal: Terminal) -> int:
    """The process of the interface itself, below the launcher."""
    wait_for(lambda: children(terminal.process.pid))
    (child,) = children(terminal.process.pid)
    return child
