"""The run in view: its events put onto the widgets, and what is known of it so far."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sdtui.protocol.events import (
    EngineStatus,
    Event,
    JobSaved,
    LatentsDrawn,
    RequestRefused,
)
from sdtui.text import clean
from sdtui.tui.cpu_share import cpu_share
from sdtui.tui.widgets.curves import Curves
from sdtui.tui.widgets.preview import Preview
from sdtui.tui.widgets.status_bar import StatusBar
from sdtui.tui.widgets.step_progress import StepProgress
from sdtui.tui.widgets.token_log import TokenLog


@dataclass
class RunView:
    """Shows events on the widgets that tell of a run.

    `saved` is where the last picture lies, `unfinished` how many jobs the engine goes on with.
    """

    preview: Preview
    log: TokenLog
    curves: Curves
    progress: StepProgress
    status: StatusBar
    saved: Path | None = None
    unfinished: int = 0

    def show(self, event: Event) -> None:
        """Pass one event on to every widget that tells of it."""
        self.preview.show(event)
        self.log.show(event)
        self.curves.show(event)
        self.progress.show(event)
        self.status.show(event)
        match event:
            case EngineStatus(state="stopping"):
                # What it leaves off is kept for the next one.
                pass
            case EngineStatus():
                going_on = 0 if event.paused else event.queued
                self.unfinished = going_on + (event.running_job_id is not None)
                if event.running_job_id is None:
                    cpu_share(self.preview.app).limit(False)
            case LatentsDrawn(device=device):
                cpu_share(self.preview.app).limit(device == "cpu")
            case RequestRefused():
                self.status.note(event.title)
            case JobSaved():
                self.saved = Path(event.path)
                self.status.note(f"saved {clean(self.saved.name)}")

    def lose_engine(self, *, was_stopped: bool) -> None:
        """The engine is gone; the next one goes on with whatever ran."""
        if self.unfinished:
            self.preview.show_failure(
                f"The engine was {'stopped' if was_stopped else 'lost'}",
                "The picture is not finished; its job is kept.",
                "It goes on by itself when the engine runs again.",
            )
            self.progress.clear()
        self.unfinished = 0
        self.preview.link.join()
        if was_stopped:
            self.status.show_stopped("⏎ starts it")
        else:
            self.status.show_lost("trying again")


def shown_path(path: Path) -> str:
    """A path for the status line, with the home folder as `~`."""
    home = Path.home()
    shown = f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
    return clean(shown)
