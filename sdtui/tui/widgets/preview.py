"""The preview pane: the newest x0 estimate, then the picture, or words where there is none."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import monotonic

from textual import events
from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.geometry import Region
from textual.message import Message
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
from sdtui.tui.frame_pace import FramePace
from sdtui.tui.link import Link, byte_limit
from sdtui.tui.pace import on_beat
from sdtui.tui.renderers import Frame
from sdtui.tui.renderers.choice import AUTO, RendererChoice, wanted_renderer
from sdtui.tui.renderers.tmux import outer_terminal
from sdtui.tui.terminal_answers import (
    CELL_SIZE_QUERY,
    TerminalAnswers,
    cell_of_window,
    kitty_question,
    questions,
)
from sdtui.tui.widgets.picture import Shot
from sdtui.tui.widgets.viewer import Viewer

TITLE = "preview"
_AROUND_TITLE = 6
"""Cells of a border's line that its title cannot have."""


@dataclass(frozen=True)
class _Waiting:
    """A frame that came and is not painted yet, with its title."""

    shot: Shot
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
        """A preview is done with, shown or overtaken, and another one may be sent.

        Only the preview's own screen is told, and what is above it.
        It is posted once for what `show_frame` was given since the last one. Where the terminal
        answers questions, it comes when the terminal has taken the frame in, or, where a model on
        the CPU draws, somewhat later; while the pane is hidden, it does not come at all.
        """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.choice = RendererChoice(wanted_renderer(), TerminalAnswers())
        self.link = Link(byte_limit())
        self.viewer = Viewer(self.choice, self.link, self._painted, id="preview-viewer")
        self._message = Static(id="preview-message")
        self._waiting: _Waiting | None = None
        self._pace = FramePace(self, self.link, paint=self._paint, done=self._ask_for_another)
        self._told = TerminalAnswers()
        self._asked_at = 0.0
        self._asked_kitty = ""
        self._seed: int | None = None
        self._picture_size: tuple[int, int] | None = None
        self.shows_failure = False
        self._is_loading = False
        self._caption("")

    def compose(self) -> ComposeResult:
        """The picture, and the words that stand in its place."""
        yield self.viewer
        yield self._message

    def ask_terminal(self) -> None:
        """Ask the terminal what it can show; `take_answers` is to hear what it says."""
        self._ask(questions(os.environ))
        self._asked_at = monotonic()

    def terminal_resized(self) -> None:
        """Look, and ask, how large a cell is now: the terminal's font may be another one."""
        if questions(os.environ):
            self._ask(CELL_SIZE_QUERY)
            self._use(self._told)

    def _ask(self, words: str) -> None:
        driver = self.app._driver
        if driver is not None and not self.app.is_headless:
            driver.write(words)

    # The renderer ------------------------------------------------------------------------------

    @property
    def renderer_name(self) -> str:
        """How pictures are shown now."""
        return self.choice.name(no_color=self.app.no_color)

    def take_answers(self, answers: TerminalAnswers) -> None:
        """The terminal has said what it can show."""
        if answers.is_complete and not self.choice.answers.is_complete:
            self.link.round_trip = monotonic() - self._asked_at
        if answers.is_complete and os.environ.get("TMUX"):
            # tmux has answered with its own name.
            self._told = replace(answers, name=self._told.name)
            self.run_worker(self.ask_tmux(), group="tmux")
        else:
            self._use(answers)

    async def ask_tmux(self) -> None:
        """Ask tmux which terminal it is attached to now, and show pictures as that one can."""
        name = await asyncio.to_thread(outer_terminal)
        self._use(replace(self._told, name=name))

    def _use(self, answers: TerminalAnswers) -> None:
        if answers.is_complete and answers.name != self._asked_kitty:
            # A session of tmux may go on in another terminal.
            self._asked_kitty = answers.name
            self._ask(kitty_question(answers.name, os.environ))
        self._told = answers
        if answers.cell is None and sys.__stdin__ is not None:
            answers = replace(answers, cell=cell_of_window(sys.__stdin__.fileno()))
        before, cell = self.renderer_name, self.choice.answers.cell
        self.choice.answers = answers
        if (self.renderer_name, answers.cell) != (before, cell):
            self.viewer.change_renderer()
            if cell is not None and answers.cell != cell:
                # Pixels that were painted for other cells may lie beyond the picture's place.
                self.app.refresh()

    def next_renderer(self) -> str:
        """Show pictures in another way; which one it is."""
        self.choice.next()
        self.viewer.change_renderer()
        return self._renderer_words

    # What the pane shows -----------------------------------------------------------------------

    @property
    def frame(self) -> Frame | None:
        """The picture on the screen, if there is one."""
        return self.viewer.shot.frame if self.viewer.shot else None

    def show_frame(
        self, rgb: bytes, width: int, height: int, *, caption: str = "", final: bool = False
    ) -> None:
        """Show RGB8 pixels under `caption`. A `final` picture is painted without waiting."""
        shot = Shot(Frame(rgb, width, height), (width, height))
        self._show_shot(shot, caption, final=final)

    def _show_shot(self, shot: Shot, caption: str, *, final: bool) -> None:
        self._waiting = _Waiting(shot, caption, final)
        self._pace.take(final=final)

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
            self._is_loading = True
            return
        lines = [Content.styled(clean(what), "$value")]
        if detail:
            lines.append(Content.styled(clean(detail), "$unit"))
        self._say(lines, "loading")

    def show_starting(self) -> None:
        """Say that a picture is begun; one that is there or about to be shown stays."""
        if self.frame is None and self._waiting is None:
            self._say([Content.styled("starting", "$label")], "starting")

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
            case ModelLoaded() if self.frame and self._is_loading:
                self._is_loading = False
                self._caption("the last picture")
            case JobStarted(params=params):
                self._seed = params.seed
                self._picture_size = params.width, params.height
                self.viewer.latents = None
                self.link.begin(params.preview_every)
                if self.frame is not None:
                    self._caption("the last picture")
                else:
                    self.show_starting()
            case PreviewReady():
                self._show_preview(event)
            case ImageDecoded(width=width, height=height, rgb=rgb):
                shot = Shot(Frame(rgb, width, height), (width, height), "picture")
                self._show_shot(shot, self._picture_caption(width, height), final=True)
            case JobSaved(seconds=seconds) if self.frame:
                caption = self._picture_caption(self.frame.width, self.frame.height)
                self._caption(f"{caption} · {figures.duration(seconds)}")
            case JobCancelled(completed=completed, count=count):
                self.show_stopped(completed, count)
            case EngineStatus(trouble=Trouble() as trouble):
                self.show_failure(trouble.title, trouble.message, trouble.remedy)
            case JobFailed() | ModelFailed():
                self.show_failure(event.title, event.message, event.remedy)

    def _show_preview(self, event: PreviewReady) -> None:
        self.link.preview_came(event.step_index)
        step = event.step_index + 1
        size = self._picture_size or (event.width, event.height)
        if (latents := event.latents) is not None:
            frame = Frame(latents.rgb, latents.width, latents.height)
            self.viewer.latents = Shot(frame, size, f"x_t · step {step}")
        shot = Shot(Frame(event.rgb, event.width, event.height), size, f"x0 · step {step}")
        self._show_shot(shot, f"x0 at step {step}", final=False)

    def link_figures(self) -> str:
        """The renderer, and what its pictures take: for the status line."""
        return "  ".join([self._renderer_words, *self.link.figures()])

    @property
    def _renderer_words(self) -> str:
        return f"{self.renderer_name}{' (auto)' if self.choice.wanted == AUTO else ''}"

    def _picture_caption(self, width: int, height: int) -> str:
        size = f"{width}×{height}"
        return size if self._seed is None else f"seed {self._seed} · {size}"

    # How it is painted -------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        """Fit the picture to the pane's new size."""
        self.viewer.resize(self.content_size)
        self._caption(self._words)

    def _paint(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return
        self._caption(waiting.caption, at_once=waiting.is_final)
        self.shows_failure = False
        self._message.display = False
        self.viewer.show(waiting.shot, exact=waiting.is_final)

    def _painted(self, size: int, whole: bool) -> None:
        """A frame is written, and how far it has come is of interest."""
        self._pace.painted(size, whole=whole)

    def on_viewer_view_changed(self, event: Viewer.ViewChanged) -> None:
        """Say in the border how the picture is seen."""
        event.stop()
        self.border_subtitle = Content.styled(event.words, "$label")

    def terminal_answered(self) -> None:
        """The terminal has answered `DECRQM 2026`, ours or the one that Textual starts with."""
        self._pace.terminal_answered()

    def _ask_for_another(self) -> None:
        # The containers in between have nothing to say to it.
        if self.is_attached:
            self.screen.post_message(self.FramePainted())

    def _say(self, lines: list[Content], caption: str) -> None:
        self._drop_waiting()
        self.shows_failure = False
        self.viewer.clear()
        self._message.display = bool(lines)
        self._message.update(Content("\n").join(lines))
        self._caption(caption)

    def _caption(self, words: str, *, at_once: bool = True) -> None:
        """Say what is shown; the many captions of previews come on the beat."""
        self._words = words
        parts = [TITLE, *clean(words, limit=80).split(" · ")] if words else [TITLE]
        width = self.outer_size.width
        title = Content(figures.in_a_row(parts, width - _AROUND_TITLE) if width else TITLE)
        if title != self._border_title:
            self._border_title = title
            if self.is_attached and at_once:
                self._refresh_caption()
            elif self.is_attached:
                on_beat(self, self._refresh_caption)

    def _refresh_caption(self) -> None:
        # Setting `border_title` would have all lines of the pane styled again, at every step.
        top_line = Region(0, 0, self.outer_size.width, 1)
        self.refresh(top_line.translate(-self.content_offset))

    def _drop_waiting(self) -> None:
        self._waiting = None
        self._pace.drop()
