"""What the screens that ask the engine for something have in common."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, cast

from textual.screen import Screen, ScreenResultType
from textual.timer import Timer

from sdtui.errors import ParameterError, SdtuiError
from sdtui.tui.widgets.status_bar import StatusBar

if TYPE_CHECKING:
    from sdtui.tui.bridge import EngineBridge
    from sdtui.tui.screens.main import MainScreen

_TOO_LATE = "too late: the job is in another state by now"
"""Keys name only jobs that are on the screen, so one that is not found has changed meanwhile."""


class AskingScreen(Screen[ScreenResultType]):
    """Carries requests out beside the keys, and says in its status line what is refused."""

    def __init__(self) -> None:
        super().__init__()
        self.status = StatusBar(id="status")
        self._settling: dict[str, Timer] = {}

    def ask(self, request: Coroutine[Any, Any, None]) -> None:
        """Carry a request out; nothing waits for it."""
        self.run_worker(self.carry_out(request), group="requests")

    async def carry_out(self, request: Coroutine[Any, Any, None]) -> None:
        """Wait for a request, and say it if that is refused."""
        try:
            await request
        except SdtuiError as error:
            self.status.note(refusal(error))

    def when_settled(self, name: str, seconds: float, callback: Callable[[], None]) -> None:
        """Call back once nothing of this name has come for so long."""
        if name in self._settling:
            self._settling[name].stop()
        self._settling[name] = self.set_timer(seconds, callback)


class WatchingScreen(AskingScreen[ScreenResultType]):
    """A screen above the main one that is told what happens for as long as it is there.

    There is one at a time: another one takes its place, and both lead back to the main screen.
    """

    def __init__(self, bridge: EngineBridge) -> None:
        super().__init__()
        self.bridge = bridge

    def on_mount(self) -> None:
        """Begin with the engine as it is, and hear of all that comes."""
        self.bridge.watchers.add(self)
        client = self.bridge.client
        if client is None:
            self.show_lost_engine()
        elif client.status is not None:
            self.status.show(client.status)

    def show_lost_engine(self, what_is_done: str = "") -> None:
        """There is no engine, which only the main screen starts after it was stopped."""
        if self.bridge.is_stopped:
            self.status.show_stopped()
        else:
            self.status.show_lost(what_is_done)

    def on_unmount(self) -> None:
        """Hear no more."""
        self.bridge.watchers.discard(self)

    def action_queue(self) -> None:
        """Go to what runs and waits."""
        self._main.action_queue()

    def action_history(self) -> None:
        """Go to past pictures."""
        self._main.action_history()

    @property
    def _main(self) -> MainScreen:
        return cast("MainScreen", self.app.get_default_screen())


def refusal(error: SdtuiError) -> str:
    """Why something was not done, as one line."""
    if isinstance(error, ParameterError) and error.field == "job_id":
        return _TOO_LATE
    return f"{error.title}. {error.message}".strip(" .")
