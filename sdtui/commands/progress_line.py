"""The progress of a batch of jobs as a line on the terminal's stderr."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sdtui.protocol.events import (
    ComponentLoading,
    DenoisingStarted,
    DownloadProgressed,
    EngineStatus,
    Event,
    JobCancelled,
    JobFailed,
    JobInterrupted,
    JobQueued,
    JobSaved,
    JobStarted,
    PromptTokenized,
    SavingDelayed,
    StepCompleted,
    TokenizedText,
)
from sdtui.text import clean

_MEGABYTE = 1_000_000
_LONGEST_CUT = 200


class ProgressLine:
    """What is being done, a bar, k/n, it/s and the time left; silent where no terminal is.

    It follows `count` jobs that are drawn one after another.
    """

    def __init__(self, count: int = 1) -> None:
        self._count = count
        self._queued = False
        self._begun: list[str] = []
        self._cut: set[str] = set()
        console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}", markup=False),
            TimeRemainingColumn(compact=True),
            console=console,
            disable=not console.is_terminal or console.is_dumb_terminal,
        )
        self._task = self._progress.add_task("starting", total=None, rate="")
        self._seconds = 0.0

    def show(self, event: Event) -> None:
        """Bring the line up to date with one event."""
        match event:
            case EngineStatus(state="starting" | "restarting"):
                self._say(f"{event.state} the worker")
            case EngineStatus(paused=True, running_job_id=None):
                self._say("waiting: the queue is paused")
            case JobQueued(position=position):
                if position and not self._queued:
                    self._say(f"waiting behind {position}")
                self._queued = True
            case JobStarted(job_id=job_id) if job_id not in self._begun:
                self._begun.append(job_id)
            case PromptTokenized():
                self._tell_what_was_cut("prompt", event.prompt)
                self._tell_what_was_cut("negative prompt", event.negative_prompt)
            case DownloadProgressed():
                self._say(
                    f"downloading {event.file}, MB",
                    event.received // _MEGABYTE,
                    event.total // _MEGABYTE or None,
                )
            case ComponentLoading():
                self._say(f"loading {event.component}", event.index, event.count)
            case DenoisingStarted():
                self._seconds = 0.0
                self._say("denoising", 0, len(event.timesteps))
            case StepCompleted():
                done = event.step_index + 1
                self._seconds += event.seconds + event.preview_seconds
                rate = f"{done / self._seconds:.1f} it/s" if self._seconds else ""
                stage = "denoising" if done < event.count else "decoding"
                self._say(stage, done, event.count, rate)
            case JobInterrupted():
                self._say(f"beginning again: {event.message}")
            case SavingDelayed():
                self._say("waiting for room on the disk")
            case JobSaved():
                self._progress.update(self._task, description="saved")
            case JobCancelled():
                self._progress.update(self._task, description="stopped")
            case JobFailed():
                self._progress.update(self._task, description="failed")

    def _tell_what_was_cut(self, name: str, text: TokenizedText) -> None:
        """Once, above the line: the pictures of a batch have the same prompts."""
        if text.cut and name not in self._cut:
            self._cut.add(name)
            cut = clean(text.cut.strip(), limit=_LONGEST_CUT)
            words = f"sdtui: the {name} is too long; the model does not see its end: {cut}"
            self._progress.console.print(words, markup=False, soft_wrap=True)

    def _say(
        self, stage: str, completed: int = 0, total: int | None = None, rate: str = ""
    ) -> None:
        if self._count > 1 and self._begun:
            stage = f"{len(self._begun)} of {self._count}: {stage}"
        self._progress.update(
            self._task, description=clean(stage), completed=completed, total=total, rate=rate
        )

    def __enter__(self) -> ProgressLine:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is KeyboardInterrupt:
            self._progress.update(self._task, description="stopped")
        # Nothing goes on, so no time is left.
        self._progress.columns = self._progress.columns[:-1]
        self._progress.stop()
