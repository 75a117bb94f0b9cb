"""One line of progress: bar, step, rate and time left, or in words what is being done."""

from __future__ import annotations

from collections import deque

from textual.content import Content

from sdtui.protocol.events import (
    FINAL_EVENTS,
    ComponentLoaded,
    ComponentLoading,
    DenoisingStarted,
    DownloadProgressed,
    EngineStatus,
    Event,
    ImageDecoded,
    JobCancelled,
    JobFailed,
    JobInterrupted,
    JobParked,
    JobQueued,
    JobSaved,
    JobStarted,
    LatentsDrawn,
    ModelFailed,
    ModelLoaded,
    PromptTokenized,
    SavingDelayed,
    StepCompleted,
)
from sdtui.text import clean
from sdtui.tui import figures
from sdtui.tui.pace import PacedWidget

_WORDS_WIDTH = 36
_SHORTEST_BAR = 8
_RATE_OVER_STEPS = 10


class StepProgress(PacedWidget):
    """Follows one job from the queue to its end. Nothing shifts when a value changes."""

    DEFAULT_CSS = """
    StepProgress { height: 1; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._words = ""
        self._part = 0.0
        self._style = "$accent"
        self._position: int | None = None
        self._paused = False
        self._has_ended = False
        self._step_seconds: deque[float] = deque(maxlen=_RATE_OVER_STEPS)

    @property
    def part(self) -> float:
        """How much is done, from 0 to 1."""
        return self._part

    @property
    def words(self) -> str:
        """What stands beside the bar."""
        return self._words

    def clear(self) -> None:
        """Back to an empty line."""
        self._set("", 0.0)

    def show(self, event: Event) -> None:
        """Follow one event of the engine."""
        match event:
            case EngineStatus(paused=paused):
                self._paused = paused
                if self._position is not None:
                    self._show_waiting(self._position)
            case JobQueued(position=position):
                self._show_waiting(position)
            case DownloadProgressed(file=file, received=received, total=total):
                name = file.rsplit("/", 1)[-1]
                share = f"{received / total:4.0%}" if total else figures.byte_size(received)
                self._set(f"downloading {name} {share}", received / total if total else 0.0)
            case ComponentLoading(component=component, index=index, count=count):
                self._set(f"loading {component} {index + 1}/{count} …", index / count)
            case ComponentLoaded(component=component, index=index, count=count):
                self._set(f"loaded {component} {index + 1}/{count}", (index + 1) / count)
            case ModelLoaded() if not self._has_ended:
                self._set("model ready", 0.0)
            case JobStarted():
                self._set("starting", 0.0)
            case PromptTokenized():
                self._set("encoding the prompt", 0.0)
            case LatentsDrawn():
                self._set("drawing the noise", 0.0)
            case DenoisingStarted(timesteps=timesteps):
                self._step_seconds.clear()
                self._set(_columns(f"0/{len(timesteps)}", "", ""), 0.0)
            case StepCompleted():
                self._show_step(event)
            case ImageDecoded():
                self._set("saving", 1.0)
            case JobSaved(seconds=seconds):
                self._set(f"done in {figures.duration(seconds)}", 1.0)
            case JobCancelled(completed=completed, count=count):
                self._set(f"stopped at {completed}/{count}" if count else "stopped", None, "$label")
            case JobInterrupted():
                self._set("beginning again", 0.0, "$error")
            case SavingDelayed():
                self._set("waiting for room", 1.0, "$error")
            case JobParked():
                self._set("parked", None, "$error")
            case JobFailed() | ModelFailed():
                self._set("failed", None, "$error")
        if isinstance(event, FINAL_EVENTS):
            # How a job ended stands until something else is being done.
            self._has_ended = True

    def _show_waiting(self, position: int) -> None:
        """The job has `position` others before it, until something else happens to it."""
        if self._paused:
            self._set("waiting: the queue is paused", 0.0)
        else:
            self._set(f"waiting in queue: {position} before" if position else "starting", 0.0)
        self._position = position

    def _show_step(self, event: StepCompleted) -> None:
        done, count = event.step_index + 1, event.count
        self._step_seconds.append(event.seconds + event.preview_seconds)
        each = sum(self._step_seconds) / len(self._step_seconds)
        left = f"{figures.clock(each * (count - done))} left"
        words = _columns(
            f"{done}/{count}", figures.rate(each), left if done < count else "decoding"
        )
        self._words, self._style, self._part = words, "$accent", done / count
        self.refresh_on_beat()

    def _set(self, words: str, part: float | None, style: str = "$accent") -> None:
        """`part` None leaves the bar where it stands."""
        self._words = clean(words)
        self._position = None
        self._has_ended = False
        self._style = style
        if part is not None:
            self._part = min(max(part, 0.0), 1.0)
        self.refresh()

    def render(self) -> Content:
        """The bar, as wide as there is room, and the words in a field of their own."""
        width = self.size.width
        words = self._words
        room = width - _WORDS_WIDTH - 1
        if room < _SHORTEST_BAR:
            return Content.styled(words.strip()[:width].rjust(width), "$value")
        field = words if len(words) <= _WORDS_WIDTH else words[: _WORDS_WIDTH - 1] + "…"
        done, rest = _bar(self._part, room)
        return Content.assemble(
            (done, self._style), (rest, "$edge"), " ", (field.rjust(_WORDS_WIDTH), "$value")
        )


def _columns(step: str, rate: str, left: str) -> str:
    """Step, rate and time left in columns that keep their places."""
    return f"{step:>9}{rate:>13}{left:>14}"


def _bar(part: float, width: int) -> tuple[str, str]:
    """The drawn and the open part of a bar, to half a cell."""
    halves = round(part * width * 2)
    full, half = divmod(halves, 2)
    done = "━" * full + "╸" * half
    return done, "─" * (width - len(done))
