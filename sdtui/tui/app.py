"""The application: themes, screens, and how it begins and ends."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Coroutine, Iterable
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.actions import SkipAction
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from sdtui.params import GenerationParams
from sdtui.text import clean
from sdtui.tui.actions import ACTIONS, bindings
from sdtui.tui.screens.asking import AskingScreen
from sdtui.tui.screens.main import MainScreen
from sdtui.tui.screens.too_small import TooSmallScreen, is_too_small
from sdtui.tui.stylesheets import styles_dir
from sdtui.tui.themes import DARK, LIGHT
from sdtui.tui.typed_in_order import TypedInOrder

if TYPE_CHECKING:
    from rich.console import RenderableType
    from textual.driver import Driver

    from sdtui.tui.bridge import Connect
    from sdtui.tui.driver import TerminalDriver
    from sdtui.tui.terminal_answers import TerminalAnswered

_SECOND_CTRL_C_SECONDS = 2.0
_ANYWHERE = {"quit", "interrupt", "suspend_process"}
"""What also a terminal that is too small for the rest can be asked for."""


class SdtuiApp(TypedInOrder[None]):
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
        Binding("ctrl+c", "interrupt", "Leave", show=False, system=True, priority=True),
    ]

    def __init__(
        self, connect: Connect | None = None, start: GenerationParams | None = None
    ) -> None:
        super().__init__()
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        # Nothing is styled yet, so nothing need be told: the first paint parses its styles once.
        self.set_reactive(App.theme, DARK.name)
        self.stylesheet.set_variables(self.get_css_variables())
        self.main = MainScreen(connect, start)
        self._interrupted_at = -_SECOND_CTRL_C_SECONDS
        self._missed_a_paint = False

    def get_default_screen(self) -> Screen[None]:
        """The main screen lies under all others."""
        return self.main

    def get_driver_class(self) -> type[Driver]:
        """The driver that tells what ends the interface from outside."""
        from sdtui.tui.driver import TerminalDriver

        return TerminalDriver

    def on_terminal_driver_signalled(self, event: TerminalDriver.Signalled) -> None:
        """A signal ends the application as a key does, so that the terminal is restored."""
        if not self._exit and self._exception is None:
            self.exit(return_code=128 + event.number)

    def on_resize(self, event: events.Resize) -> None:
        """A terminal that is too small for the screens gets a sentence until it grows.

        It may have changed its font, also where it has as many cells as before.
        """
        if self.main.is_filled:
            self.main.run_view.preview.terminal_resized()
        self._expect_another_terminal()
        is_told = isinstance(self.screen, TooSmallScreen)
        if is_too_small(event.size) and not is_told:
            self.push_screen(TooSmallScreen())
        elif is_told and not is_too_small(event.size):
            self.pop_screen()

    def on_app_focus(self) -> None:
        """The terminal has come to the front: tmux says so too when it is attached to one."""
        self._expect_another_terminal()

    def _expect_another_terminal(self) -> None:
        """A session of tmux may go on in a terminal that knows none of the pictures sent before."""
        if os.environ.get("TMUX"):
            self.run_worker(self._meet_the_terminal(), group="tmux")

    async def _meet_the_terminal(self) -> None:
        """Send pictures again, once it is known what this terminal can show."""
        if self.main.is_filled:
            await self.main.run_view.preview.ask_tmux()
        self.app_resume_signal.publish(self)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:
        """No other screen comes over the sentence about a terminal that is too small."""
        return action in _ANYWHERE or not isinstance(self.screen, TooSmallScreen)

    async def hand_out(self, event: events.Key | events.Paste) -> None:
        """What is pasted into a search is shown as it stands there, so it is cleaned before."""
        if isinstance(event, events.Paste):
            from textual.widgets import Input

            if isinstance(self.focused, Input):
                lines = event.text.replace("\r\n", "\n").replace("\r", "\n")
                event.text = clean(lines)
        await super().hand_out(event)

    def get_system_commands(self, screen: Screen[None]) -> Iterable[SystemCommand]:
        """The palette's entries: what can be done here, on this screen or anywhere."""
        everywhere = [action for action in ACTIONS if not action.target.startswith("screen.")]
        own = getattr(screen, "actions", ())
        for action in (*(ACTIONS if screen is self.main else everywhere), *own):
            if action.name != "commands":
                title = action.name.capitalize()
                yield SystemCommand(title, action.help, self._runner(action.target, screen))

    def _runner(self, target: str, screen: Screen[None]) -> Callable[[], Coroutine[Any, Any, None]]:
        async def run() -> None:
            await self.run_action(target, screen if target.startswith("screen.") else self)

        return run

    def action_toggle_theme(self) -> None:
        """Switch between dark and light."""
        self.theme = LIGHT.name if self.theme == DARK.name else DARK.name

    def action_help(self) -> None:
        """Show what every key does."""
        from sdtui.tui.screens.help import HelpScreen

        self.push_screen(HelpScreen())

    def action_command_palette(self) -> None:
        """Find an action by its name."""
        from sdtui.tui.screens.palette import Palette

        if not isinstance(self.screen, Palette):
            self.push_screen(Palette())

    def action_interrupt(self) -> None:
        """Ctrl+C: say what it does not do, and leave when it is pressed again.

        Where something is selected, it is copied: by the widget or the screen that holds it.
        """
        if getattr(self.focused, "selected_text", "") or self.screen.get_selected_text():
            self._tell("copied, ^q leaves")
            raise SkipAction
        now = time.monotonic()
        if now - self._interrupted_at < _SECOND_CTRL_C_SECONDS:
            self.exit()
            return
        self._interrupted_at = now
        words = "^c again leaves"
        if self.screen is self.main and not self.main.is_full:
            words += ", esc stops the picture"
        self._tell(words)

    def _tell(self, words: str) -> None:
        """Say for a moment what a key did, on the screen that is in view."""
        if isinstance(self.screen, AskingScreen):
            self.screen.status.note(words, _SECOND_CTRL_C_SECONDS)
        else:
            self.notify(words, timeout=_SECOND_CTRL_C_SECONDS, markup=False)

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

    def on_terminal_driver_caught_up(self) -> None:
        """The terminal has come far enough: draw what was held back."""
        if self._missed_a_paint:
            self._missed_a_paint = False
            self.refresh()
        # The end of a batch (Textual 8.2.8) wakes the application alone, which paints nothing.
        for screen in self.screen_stack:
            screen.check_idle()

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Textual forgets some of what is to be painted during a batch, such as a new layout."""
        if self._batch_count and renderable is not None:
            self._missed_a_paint = True
        super()._display(screen, renderable)

    def _handle_exception(self, error: Exception) -> None:
        """The first cause of the end stands: what fails in an ending application is no defect.

        Widgets that are being filled, for one, find their parents closed.
        """
        if not self._exit:
            super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """End without Textual's report, which prints the values of variables."""
        self._close_messages_no_wait()


def run() -> int:
    """Show the interface until it ends; the process's exit code. A defect of it is raised."""
    app = SdtuiApp()
    app.run()
    if app._exception is not None:
        raise app._exception
    unfinished = app.unfinished_jobs
    if unfinished and not app.return_code:
        jobs = "1 job still runs" if unfinished == 1 else f"{unfinished} jobs still run"
        print(f"{jobs}; sdtui shows it again")
    return app.return_code or 0
