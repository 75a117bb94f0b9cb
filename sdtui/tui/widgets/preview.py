"""The preview pane: the newest x0 estimate, then the picture, or words where there is none."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic

from textual import events
from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Static

from sdtui.protocol.events import (
    ComponentLoading,
    DownloadProgressed,
    EngineStatus,
    Event,
    ImageDecoded,
    JobCancelled,
    JobFailed,
    JobSaved,
    JobStarted,
    ModelFailed,
    ModelLoaded,
    PreviewReady,
    Trouble,
)
from sdtui.text import clean
from sdtui.tui import figures
from sdtui.tui.link import Link, byte_limit
from sdtui.tui.renderers import CELL_ASPECT, Frame, fit
from sdtui.tui.renderers.choice import AUTO, RendererChoice, wanted_renderer
from sdtui.tui.renderers.tmux import outer_terminal
from sdtui.tui.terminal_answers import TerminalAnswers, cell_of_window, questions
from sdtui.tui.widgets.pixel_canvas import PixelCanvas

MAX_FRAMES_PER_SECOND = 30
TITLE = "preview"
_QUESTION = "\x1b[?2026$p"
"""DECRQM for synchronized output: whatever the answer, it comes when all before it was read."""
_ANSWER_SECONDS = 5.0


@dataclass(frozen=True)
class _Waiting:
    """A frame that came and is not painted yet, with its title."""

    frame: Frame
    caption: str
    is_final: bool


class Preview(Container):
    """Holds the newest frame, paints it at most 30 times a second, and says what it shows.

    Between frames nothing runs. A picture stays until another one or a message replaces it.
    `shows_failure` says that the message tells of something that went wrong.
    """

    DEFAULT_CSS = """
    Preview { align: center middle; layout: vertical; overflow: hidden; }
    Preview > #preview-message { width: auto; max-width: 100%; height: auto; display: none; }
    """

    class FramePainted(Message):
        """A preview is done with, shown or overtaken; another one may be sent.

        It is posted once for what `show_frame` was given since the last one. Where the terminal
        answers questions, it comes when the terminal has taken the frame in; while the pane is
        hidden, it does not come at all.
        """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.choice = RendererChoice(wanted_renderer(), TerminalAnswers())
        self._canvas = PixelCanvas(self.choice.make, id="preview-canvas")
        self._message = Static(id="preview-message")
        self._waiting: _Waiting | None = None
        self._timer: Timer | None = None
        self._not_before = 0.0
        self._asked_at = 0.0
        self._asked_whole = False
        self.link = Link(byte_limit())
        self._room = Size(0, 0)
        self._seed: int | None = None
        self.shows_failure = False
        self._owed = False
        self._asked: Timer | None = None
        self._terminal_answers = False
        self._caption("")

    def compose(self) -> ComposeResult:
        """The picture, and the words that stand in its place."""
        yield self._canvas
        yield self._message

    def ask_terminal(self) -> None:
        """Ask the terminal what it can show; `take_answers` is to hear what it says."""
        driver = self.app._driver
        if driver is not None and not self.app.is_headless:
            driver.write(questions(os.environ))
            self._asked_at = monotonic()

    # The renderer ------------------------------------------------------------------------------

    @property
    def renderer_name(self) -> str:
        """How pictures are shown now."""
        return self.choice.name(no_color=self.app.no_color)

    def take_answers(self, answers: TerminalAnswers) -> None:
        """The terminal has said what it can show."""
        if answers.is_complete and not self.choice.answers.is_complete:
            self.link.round_trip = monotonic() - self._asked_at
        if answers.is_complete and answers.kitty and os.environ.get("TMUX"):
            # tmux has answered with its own name.
            self.run_worker(partial(self._ask_tmux, answers), thread=True, group="tmux")
        else:
            self._use(answers)

    def _ask_tmux(self, answers: TerminalAnswers) -> None:
        answers = replace(answers, name=outer_terminal())
        self.app.call_from_thread(self._use, answers)

    def _use(self, answers: TerminalAnswers) -> None:
        if answers.cell is None and sys.__stdin__ is not None:
            answers = replace(answers, cell=cell_of_window(sys.__stdin__.fileno()))
        before = self.renderer_name
        self.choice.answers = answers
        if self.renderer_name != before:
            self._canvas.change_renderer()
        if self.frame is not None:
            # The size of a cell may be news.
            self._place(self.frame)

    def next_renderer(self) -> str:
        """Show pictures in another way; which one it is."""
        self.choice.next()
        self._canvas.change_renderer()
        return self.renderer_name

    # What the pane shows -----------------------------------------------------------------------

    @property
    def frame(self) -> Frame | None:
        """The picture on the screen, if there is one."""
        return self._canvas.frame if self._canvas.display else None

    def show_frame(
        self, rgb: bytes, width: int, height: int, *, caption: str = "", final: bool = False
    ) -> None:
        """Show RGB8 pixels under `caption`. A `final` picture is painted without waiting."""
        self._waiting = _Waiting(Frame(rgb, width, height), caption, final)
        self._owed = self._owed or not final
        wait = 0.0 if final else max(self._not_before - monotonic(), self.link.wait_seconds)
        if wait <= 0:
            self._paint()
        elif self._timer is None:
            self._timer = self.set_timer(wait, self._paint)

    def show_empty(self, examples: Sequence[str], key: str = "") -> None:
        """Invite: prompts that the model can draw, and the `key` that fills one in."""
        lines = [Content.styled("Nothing drawn yet", "$label"), Content("")]
        if examples:
            lines.append(Content.styled("It can draw, for example", "$unit"))
            lines.extend(Content.styled(clean(prompt, limit=60), "$value") for prompt in examples)
            lines.append(Content(""))
        if key and examples:
            lines.append(Content.assemble((clean(key), "$value"), (" fills one in", "$unit")))
        lines.append(Content.assemble(("⏎", "$value"), (" draws what the prompt says", "$unit")))
        self._say(lines, "")

    def show_loading(self, what: str, detail: str = "") -> None:
        """Say what is being made ready; a picture that is there stays."""
        if self.frame is not None:
            self._caption(what)
            return
        lines = [Content.styled(clean(what), "$value")]
        if detail:
            lines.append(Content.styled(clean(detail), "$unit"))
        self._say(lines, "loading")

    def show_stopped(self, completed: int, count: int) -> None:
        """Say where the job was stopped; the last preview stays."""
        self._drop_waiting()
        words = f"stopped at {completed}/{count}" if count else "stopped before the first step"
        if self.frame is None:
            self._say([Content.styled(words, "$label")], "stopped")
        else:
            self._caption(words)

    def show_failure(self, title: str, message: str = "", remedy: str = "") -> None:
        """Say what went wrong, where, and what to do about it."""
        lines = [Content.styled(clean(title), "bold $error")]
        if message:
            lines += [Content(""), Content.styled(clean(message, multiline=True), "$value")]
        if remedy:
            lines += [Content(""), Content.styled(clean(remedy, multiline=True), "$label")]
        self._say(lines, "failed")
        self.shows_failure = True

    def clear(self) -> None:
        """Show nothing."""
        self._say([], "")

    def show(self, event: Event) -> None:
        """Show what an event of the engine says about the picture."""
        match event:
            case DownloadProgressed(file=file, received=received, total=total):
                of = f" of {figures.byte_size(total)}" if total else ""
                self.show_loading(f"downloading {file}", f"{figures.byte_size(received)}{of}")
            case ComponentLoading(component=component, index=index, count=count):
                self.show_loading(f"loading {component}", f"{index + 1} of {count}")
            case ModelLoaded() if self.frame:
                self._caption("the last picture")
            case JobStarted(params=params):
                self._seed = params.seed
                self.link.begin(params.preview_every)
                self._caption("the last picture" if self.frame else "starting")
            case PreviewReady(step_index=step_index, width=width, height=height, rgb=rgb):
                self.link.preview_came(step_index)
                self.show_frame(rgb, width, height, caption=f"x0 at step {step_index + 1}")
            case ImageDecoded(width=width, height=height, rgb=rgb):
                caption = self._picture_caption(width, height)
                self.show_frame(rgb, width, height, caption=caption, final=True)
            case JobSaved(seconds=seconds) if self.frame:
                caption = self._picture_caption(self.frame.width, self.frame.height)
                self._caption(f"{caption} · {figures.duration(seconds)}")
            case JobCancelled(completed=completed, count=count):
                self.show_stopped(completed, count)
            case EngineStatus(trouble=Trouble() as trouble):
                self.show_failure(trouble.title, trouble.message, trouble.remedy)
            case JobFailed() | ModelFailed():
                self.show_failure(event.title, event.message, event.remedy)

    def link_figures(self) -> str:
        """The renderer, and what its pictures take: for the status line."""
        automatic = " (auto)" if self.choice.wanted == AUTO else ""
        return "  ".join([f"{self.renderer_name}{automatic}", *self.link.figures()])

    def _picture_caption(self, width: int, height: int) -> str:
        size = f"{width}×{height}"
        return size if self._seed is None else f"seed {self._seed} · {size}"

    # How it is painted -------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        """Fit the picture to the pane's new size."""
        self._room = self.content_size
        if self.frame is not None:
            self._place(self.frame)

    def _paint(self) -> None:
        self._stop_timer()
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return
        self._not_before = monotonic() + 1 / MAX_FRAMES_PER_SECOND
        self._caption(waiting.caption)
        self.shows_failure = False
        self._message.display = False
        self._canvas.display = True
        self._place(waiting.frame, exact=waiting.is_final)

    def on_pixel_canvas_painted(self, event: PixelCanvas.Painted) -> None:
        """Ask the terminal, behind the frame, whether it has come so far."""
        event.stop()
        self.link.sent(event.size)
        driver = self.app._driver
        if not self._owed or self._asked is not None:
            return
        if driver is not None and not self.app.is_headless:
            driver.write(_QUESTION)
            self._asked_at, self._asked_whole = monotonic(), event.whole
        if self._terminal_answers:
            self._asked = self.set_timer(_ANSWER_SECONDS, self._no_answer)
        else:
            self._settle()

    def terminal_answered(self) -> None:
        """The terminal has answered `DECRQM 2026`, ours or the one that Textual starts with."""
        self._terminal_answers = True
        if self._asked is not None:
            if not self._asked_whole:
                self.link.carried(monotonic() - self._asked_at)
            self._settle()

    def _no_answer(self) -> None:
        self._terminal_answers = False
        self._settle()

    def _settle(self) -> None:
        if self._asked is not None:
            self._asked.stop()
            self._asked = None
        if self._owed:
            self._owed = False
            self.post_message(self.FramePainted())

    def _place(self, frame: Frame, *, exact: bool = True) -> None:
        # A hidden pane has no size; seen again, it most often has the one that it had.
        columns, rows = self.content_size if self.content_size.area else self._room
        if columns and rows:
            scale = 1.0 if exact else self.link.scale
            room = max(1, int(columns * scale)), max(1, int(rows * scale))
            columns, rows = fit(frame.width, frame.height, *room, self._cell_aspect)
        self._canvas.show(frame, columns, rows, exact=exact)

    @property
    def _cell_aspect(self) -> float:
        cell = self.choice.answers.cell
        return cell[1] / cell[0] if cell else CELL_ASPECT

    def _say(self, lines: list[Content], caption: str) -> None:
        self._drop_waiting()
        self._settle()
        self.shows_failure = False
        self._canvas.display = False
        self._canvas.show(None, 0, 0)
        self._message.display = bool(lines)
        self._message.update(Content("\n").join(lines))
        self._caption(caption)

    def _caption(self, words: str) -> None:
        parts = [Content(TITLE)]
        if words:
            parts.append(Content(f" · {clean(words, limit=80)}"))
        title = Content("").join(parts)
        if title != self._border_title:
            self._border_title = title
            # Setting `border_title` would have all lines of the pane styled again, at every step.
            top_line = Region(0, 0, self.outer_size.width, 1)
            self.refresh(top_line.translate(-self.content_offset))

    def _drop_waiting(self) -> None:
        self._stop_timer()
        if self._waiting is not None:
            self._waiting = None
            self._settle()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
