"""The application: themes, screens, and how it begins and ends."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Coroutine, Iterable
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from sdtui.params import GenerationParams
from sdtui.tui.actions import ACTIONS, bindings
from sdtui.tui.screens.main import MainScreen
from sdtui.tui.stylesheets import styles_dir
from sdtui.tui.terminal_answers import TerminalAnswered, listen
from sdtui.tui.themes import DARK, LIGHT

if TYPE_CHECKING:
    from sdtui.tui.bridge import Connect

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SECOND_CTRL_C_SECONDS = 2.0


class SdtuiApp(App[None]):
    """Watches the engine and asks it for pictures.

    `connect` reaches the engine, by default the user's own; `start` is what the prompts and
    settings show at first.
    """

    # Textual loads a screen's own sheet when it is pushed, which the first one never is.
    CSS_PATH: ClassVar[list[str | PurePath]] = [
        styles_dir() / "app.tcss",
        styles_dir() / "main.tcss",
    ]
    TITLE = "sdtui"
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("app"),
        Binding("ctrl+c", "interrupt", "Leave", show=False, system=True),
    ]

    def __init__(
        self, connect: Connect | None = None, start: GenerationParams | None = None
    ) -> None:
        super().__init__()
        listen()
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        # Nothing is styled yet, so nothing need be told: the first paint parses its styles once.
        self.set_reactive(App.theme, DARK.name)
        self.stylesheet.set_variables(self.get_css_variables())
        self.main = MainScreen(connect, start)
        self._interrupted_at = -_SECOND_CTRL_C_SECONDS

    def get_default_screen(self) -> Screen[None]:
        """The main screen lies under all others."""
        return self.main

    def on_mount(self) -> None:
        """A signal ends the application as a key does, so that the terminal is restored."""
        # What the shell wrote meanwhile, Textual leaves on the screen.
        self.app_resume_signal.subscribe(self, lambda _: self.refresh(layout=True))
        if self.is_headless:
            return
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._end_by_signal, number)

    def _end_by_signal(self, number: int) -> None:
        self.exit(return_code=128 + number)

    def get_system_commands(self, screen: Screen[None]) -> Iterable[SystemCommand]:
        """The palette's entries: the registry."""
        for action in ACTIONS:
            if action.name != "commands":
                title = action.name.capitalize()
                yield SystemCommand(title, action.help, self._runner(action.target))

    def _runner(self, target: str) -> Callable[[], Coroutine[Any, Any, None]]:
        async def run() -> None:
            await self.run_action(target, self.main if target.startswith("screen.") else self)

        return run

    def action_toggle_theme(self) -> None:
        """Switch between dark and light."""
        self.theme = LIGHT.name if self.theme == DARK.name else DARK.name

    def action_help(self) -> None:
        """Show what every key does."""
        from sdtui.tui.screens.help import HelpScreen

        self.push_screen(HelpScreen())

    def action_interrupt(self) -> None:
        """Ctrl+C: say what it does not do, and leave when it is pressed again."""
        now = time.monotonic()
        if now - self._interrupted_at < _SECOND_CTRL_C_SECONDS:
            self.exit()
            return
        self._interrupted_at = now
        self.main.status.note("^c again leaves, esc stops the picture")

    @property
    def unfinished_jobs(self) -> int:
        """How many jobs the engine still has, as far as is known here."""
        return self.main.run_view.unfinished if self.main.is_filled else 0

    def on_terminal_supports_synchronized_output(self) -> None:
        """The terminal answered: the preview's pace hangs on it."""
        if self.main.is_filled:
            self.main.run_view.preview.terminal_answered()

    def on_terminal_answered(self, message: TerminalAnswered) -> None:
        """The terminal said what it can show."""
        if self.main.is_filled:
            self.main.run_view.preview.take_answers(message.answers)

    def _fatal_error(self) -> None:
        from sdtui.tui.crash import report_of, write_crash_log

        log = write_crash_log(self._exception)
        self._exit_renderables.append(report_of(self._exception, log))
        self._close_messages_no_wait()


def run() -> int:
    """Show the interface until the user leaves; the process's exit code."""
    app = SdtuiApp()
    app.run()
    unfinished = app.unfinished_jobs
    if unfinished and not app.return_code:
        jobs = "1 job still runs" if unfinished == 1 else f"{unfinished} jobs still run"
        print(f"{jobs}; sdtui shows it again")
    return app.return_code or 0
