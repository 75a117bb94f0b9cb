"""The log: what the model sees, told live in the order of the lesson."""

from __future__ import annotations

from itertools import groupby

import msgspec
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.reactive import reactive
from textual.scrollbar import ScrollBar
from textual.strip import Strip
from textual.theme import Theme
from textual.widgets import RichLog

from sdtui.protocol.events import (
    ComponentLoaded,
    Event,
    ImageDecoded,
    JobEvent,
    JobInterrupted,
    JobStarted,
    ModelFailed,
    ModelLoaded,
    PreviewReady,
)
from sdtui.tui.pace import on_beat
from sdtui.tui.widgets.lesson import Lesson
from sdtui.tui.widgets.lesson_page import LessonPage


class TokenLog(RichLog):
    """Keeps the events of one job and tells them again when width, theme or F4 ask for it.

    Lines are written on the beat; between events nothing runs.
    """

    DEFAULT_CSS = """
    TokenLog { scrollbar-size-vertical: 1; overflow-x: hidden; overflow-y: scroll; }
    """

    explanations: reactive[bool] = reactive(True, init=False)

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._events: list[Event] = []
        self._told = 0
        self._lesson: Lesson | None = None
        self._told_width = 0
        self._follows = True
        self._painted: dict[int, Strip] = {}
        self._look: object = None
        self._style = Style()

    def on_mount(self) -> None:
        """Tell everything again in the colours of another theme."""
        self.app.theme_changed_signal.subscribe(self, self._theme_changed)

    def show(self, event: Event) -> None:
        """Tell one event. The first of another job takes the place of the last one's log."""
        if isinstance(event, PreviewReady) or not isinstance(
            event, JobEvent | ComponentLoaded | ModelLoaded | ModelFailed
        ):
            return
        if isinstance(event, JobStarted):
            self._begin_job(event.job_id)
        if isinstance(event, ImageDecoded):
            event = msgspec.structs.replace(event, rgb=b"")
        self._events.append(event)
        self._schedule()

    def _begin_job(self, job_id: str) -> None:
        if any(isinstance(event, JobEvent) for event in self._events):
            # Why a job begins once more is the first thing to know about it.
            self._events = [
                event
                for event in self._events
                if isinstance(event, JobInterrupted) and event.job_id == job_id
            ]
            self._begin_again()

    def _schedule(self) -> None:
        if self.is_attached:
            on_beat(self, self._flush)

    def _flush(self) -> None:
        if not self._told_width:
            return
        if self._lesson is None:
            self.clear()
            self._painted.clear()
            self._lesson = Lesson(LessonPage(self._told_width, self._styles(), self.explanations))
        before = len(self.lines)
        console = self.app.console
        for event in self._events[self._told :]:
            for line in self._lesson.tell(event):
                self.lines.append(Strip(line.render(console), line.cell_len))
        self._told = len(self._events)
        self._grown(before)

    def _grown(self, before: int) -> None:
        """Take the new height on. The pane itself stays as it is, so nothing is laid out again."""
        height = len(self.lines)
        self.set_reactive(TokenLog.virtual_size, Size(self._told_width, height))
        bar = self.vertical_scrollbar
        drawn = _cells(bar)
        bar.set_reactive(ScrollBar.window_virtual_size, height)
        if self._follows:
            bar.set_reactive(ScrollBar.position, self.max_scroll_y)
        for y, (cell, then) in enumerate(zip(_cells(bar), drawn, strict=True)):
            if cell != then:
                bar.refresh(Region(0, y, bar.size.width, 1))
        self._follow()
        new = Region(0, before - self.scroll_offset.y, self.size.width, height - before)
        self.refresh(new.intersection(self.size.region))

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines of `crop`; one that has only moved up or down is not styled again."""
        self._style = self.rich_style
        look = crop.column_span, self._style, self.styles.border, self.background_colors
        if look != self._look:
            self._look = look
            self._painted.clear()
        above = self.gutter.top - self.scroll_offset.y
        seen = range(self.scroll_offset.y, self.scroll_offset.y + self.size.height)
        self._painted = {place: strip for place, strip in self._painted.items() if place in seen}
        strips: list[Strip] = []
        for is_painted, run in groupby(crop.line_range, lambda y: y - above in self._painted):
            lines = list(run)
            if is_painted:
                strips.extend(self._painted[y - above] for y in lines)
                continue
            new = super().render_lines(Region(crop.x, lines[0], crop.width, len(lines)))
            strips.extend(new)
            places = (y - above for y in lines)
            self._painted |= {
                place: strip
                for place, strip in zip(places, new, strict=True)
                if place in seen and place < len(self.lines)
            }
        return strips

    def render_line(self, y: int) -> Strip:
        """One line without its border; a `RichLog` would ask all its ancestors for each."""
        style, width = self._style, self.scrollable_content_region.width
        place = self.scroll_offset.y + y
        if place >= len(self.lines):
            return Strip.blank(width, style)
        return self.lines[place].crop_extend(0, width, style).apply_style(style)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Whoever scrolls to the end follows what is told there, at every size."""
        super().watch_scroll_y(old_value, new_value)
        if self.lines:
            self._follows = self.is_vertical_scroll_end

    def _follow(self) -> None:
        if self._follows:
            self.scroll_to(y=self.max_scroll_y, animate=False, immediate=True)

    def _begin_again(self) -> None:
        """Forget what was written, so that the next flush tells every kept event."""
        self._told = 0
        self._lesson = None
        self._schedule()

    def _styles(self) -> dict[str, str]:
        colours = self.app.theme_variables
        text = colours["foreground"]
        return {
            "label": colours.get("label", text),
            "value": colours.get("value", text),
            "unit": colours.get("unit", text),
            "explanation": f"{colours.get('unit', text)} italic",
            "heading": f"{colours.get('value', text)} bold",
            "accent": colours["accent"],
            "error": colours["error"],
        }

    def on_resize(self, event: events.Resize) -> None:
        """Tell it again for another width."""
        width = self.scrollable_content_region.width
        if width != self._told_width:
            self._told_width = width
            self._begin_again()
        else:
            self._follow()

    def watch_explanations(self) -> None:
        """Tell it again with or without the sentences."""
        self._begin_again()

    def _theme_changed(self, theme: Theme) -> None:
        self._begin_again()


def _cells(bar: ScrollBar) -> list[Segment]:
    """What a vertical scroll bar shows from top to bottom, but for its colours.

    Textual gives more cells than there are where a log that has become shorter is scrolled beyond
    its end.
    """
    window = bar.window_size if bar.window_size < bar.window_virtual_size else 0
    cells = bar.renderer.render_bar(
        bar.size.height, bar.window_virtual_size, window, bar.position
    ).segments
    return list(cells)[: bar.size.height]
