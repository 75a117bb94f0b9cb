"""The status line: what is loaded on the left, how the engine is on the right, and notes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.content import Content
from textual.timer import Timer

from sdtui.text import clean
from sdtui.tui import figures
from sdtui.tui.pace import PacedWidget

if TYPE_CHECKING:
    from sdtui.protocol.events import Event

NOTE_SECONDS = 5.0

_WORDS = {
    "starting": "starting",
    "idle": "ready",
    "loading": "loading",
    "running": "running",
    "restarting": "restarting",
    "failing": "cannot start",
    "waiting for disk": "waiting for disk",
    "stopping": "stopping",
}
_SIGNS = {"idle": "●", "running": "●", "lost": "×", "failing": "×", "waiting for disk": "×"}
_GONE = ("lost", "stopped")
_QUEUE_WIDTH = 11
_STATE_WIDTH = 20
_LEAST = 32
"""The model's name and device keep this many cells."""
_GAP = 2
"""At least so many cells are between the two sides."""
_LINK_RESTS_SECONDS = 2.5
_STILL_FROM = 100
"""Lines of this many cells have room for a state in a field of its own, which never moves."""


class StatusBar(PacedWidget):
    """What is loaded, what goes over the link, how the engine is, how many jobs wait."""

    DEFAULT_CSS = """
    StatusBar { height: 1; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._state = "starting"
        self._detail = ""
        self._queued = 0
        self._paused = False
        self._loaded: tuple[str, ...] = ()
        self._note = ""
        self._note_words: Callable[[], str] = str
        self._timer: Timer | None = None
        self._link_words: Callable[[], str] = str
        self._link_timer: Timer | None = None

    def show_link(self, words: Callable[[], str]) -> None:
        """Something went over the link; `words` says what does, now and when it has rested."""
        self._link_words = words
        if self._link_timer is None:
            self._link_timer = self.set_timer(_LINK_RESTS_SECONDS, self._link_rests)
        else:
            self._link_timer.reset()
        self.refresh_on_beat()

    def show(self, event: Event) -> None:
        """Follow one event of the engine."""
        from sdtui.protocol.events import ComponentLoading, EngineStatus, ModelLoaded

        self.look_at_note()
        match event:
            case EngineStatus():
                if event.state != "loading" or self._state != "loading":
                    self._detail = ""
                self._state = event.state
                self._queued = event.queued
                self._paused = event.paused
                self._load(event.model, event.device, event.dtype)
            case ComponentLoading(component=component):
                self._detail = component
            case ModelLoaded(model=model, device=device, dtype=dtype):
                self._load(model, device, dtype)
            case _:
                return
        self.refresh()

    def show_lost(self, detail: str = "") -> None:
        """The engine is gone; `detail` says what is being done about it."""
        self._be_gone("lost", detail)

    def show_stopped(self, detail: str = "") -> None:
        """Somebody has stopped the engine; `detail` says what starts it."""
        self._loaded = ()
        self._be_gone("stopped", detail)

    def _be_gone(self, state: str, detail: str) -> None:
        self._state = state
        self._detail = detail
        self.look_at_note()
        self.refresh()

    def note(self, words: str | Callable[[], str], seconds: float = NOTE_SECONDS) -> None:
        """Show one line in place of the model's name for a few seconds, or of all where it is long.

        Where it tells how something is, `words` is asked for it with every event, and the note
        ends at once when that has nothing to say any more.
        """
        self._note_words = words if callable(words) else lambda: words
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(seconds, self._end_note)
        self.look_at_note()

    def look_at_note(self) -> None:
        """Ask whether what is noted still holds. Events do so by themselves."""
        note = clean(self._note_words())
        if not note:
            # What has ended may hold again, and is then no answer to anything.
            self._note_words = str
        if note != self._note:
            self._note = note
            self.refresh()

    def _link_rests(self) -> None:
        self._link_timer = None
        self.refresh()

    def _end_note(self) -> None:
        self._note_words = str
        self._timer = None
        self.look_at_note()

    def _load(self, model: str, device: str, dtype: str) -> None:
        parts = (model, device, figures.dtype(dtype))
        self._loaded = tuple(clean(part) for part in parts if part)

    def render(self) -> Content:
        """The two sides. Where both do not fit, the left one gives way, and both to a note.

        What is wrong with the engine gives way to nothing.
        """
        left, right, width = self._left(), self._right(), self.size.width
        is_long = left.cell_length + _GAP + right.cell_length > width
        if self._note and is_long and _SIGNS.get(self._state) != "×":
            return left.truncate(width, ellipsis=True)
        words = "" if self._note else clean(self._link_words())
        link = Content.styled(f"{words}   ", "$label")
        if words and width - right.cell_length - link.cell_length > _LEAST:
            right = Content.assemble(link, right)
        left = left.truncate(max(width - right.cell_length - _GAP, 0), ellipsis=True)
        gap = " " * max(width - left.cell_length - right.cell_length, 0)
        return Content.assemble(left, gap, right)

    def _left(self) -> Content:
        if self._note:
            return Content.assemble(" ", (self._note, "$accent"))
        name = (" sdtui   ", "$label")
        if not self._loaded:
            return Content.assemble(name, ("no model loaded", "$unit"))
        model, *where = self._loaded
        return Content.assemble(
            name, (model, "$value"), *((f" · {part}", "$label") for part in where)
        )

    def _right(self) -> Content:
        state = self._state
        words = clean(_WORDS.get(state, state))
        detail = clean(self._detail, limit=40)
        if detail:
            words = f"{words}: {detail}" if state in _GONE else f"{words} {detail}"
        sign = "$error" if _SIGNS.get(state) == "×" else "$value" if state == "idle" else "$accent"
        if self.size.width >= _STILL_FROM:
            words = words.ljust(_STATE_WIDTH)
        queue = f"queue {self._queued}"
        paused = " paused" if self._paused else ""
        return Content.assemble(
            ("engine ", "$label"),
            (_SIGNS.get(state, "○"), sign),
            (f" {words}", "$value"),
            (queue.rjust(_QUEUE_WIDTH), "$label" if self._queued else "$unit"),
            (paused, "$accent"),
            " ",
        )
