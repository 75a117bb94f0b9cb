"""The jobs of the queue as lines of a table, of which one is chosen."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from sdtui.protocol.events import GOING_ON, ListedJob
from sdtui.text import clean

_GAP = "  "
_SHORTEST_PROMPT = 18
_STATES = {"running": "accent", "queued": "value", "failed": "error", "parked": "error"}
"""How the word for a state is styled; the others are dim."""


@dataclass(frozen=True)
class _Column:
    """A column `width` cells wide. A narrow list leaves out those of the highest `rank` first."""

    name: str
    width: int
    rank: int
    text: Callable[[ListedJob], str]
    to_the_right: bool = True


def _model_name(model: str) -> str:
    """The end of a hub id or a path, by which people know a model."""
    return clean(model.rstrip("/").rsplit("/", 1)[-1] or model)


def _clock_time(moment: float) -> str:
    """The time of day for a moment of today, the day for an earlier one."""
    then = time.localtime(moment)
    is_today = then[:3] == time.localtime()[:3]
    return time.strftime("%H:%M" if is_today else "%d %b", then)


_STATE = _Column("state", 9, 0, lambda job: clean(job.state), to_the_right=False)
_TAIL = (
    _Column("model", 12, 4, lambda job: _model_name(job.model), to_the_right=False),
    _Column("size", 9, 3, lambda job: f"{job.width}×{job.height}"),
    _Column("steps", 5, 2, lambda job: str(job.num_inference_steps)),
    _Column("seed", 10, 1, lambda job: str(job.seed)),
    _Column("since", 6, 0, lambda job: _clock_time(job.since)),
)
_PLACE_WIDTH = 4


class JobList(Widget, can_focus=True):
    """Shows `jobs`; arrows and mouse choose one, and the choice stays with it while others move.

    Only the lines in view are made, so that a thousand jobs cost no more than a screenful.
    """

    DEFAULT_CSS = """
    JobList { height: 1fr; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "job-list--head",
        "job-list--label",
        "job-list--value",
        "job-list--unit",
        "job-list--accent",
        "job-list--error",
        "job-list--chosen",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "choose(-1)", "Previous job", show=False),
        Binding("down", "choose(1)", "Next job", show=False),
        Binding("pageup", "page(-1)", "A page up", show=False),
        Binding("pagedown", "page(1)", "A page down", show=False),
        Binding("home", "choose(-100000)", "First job", show=False),
        Binding("end", "choose(100000)", "Last job", show=False),
    ]

    @dataclass
    class Chosen(Message):
        """Another job is the chosen one, or it has changed; None when there is none."""

        job: ListedJob | None

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._jobs: list[ListedJob] = []
        self._places: dict[str, int] = {}
        self._position = 0
        self._first_shown = 0

    @property
    def job(self) -> ListedJob | None:
        """The chosen job."""
        return self._jobs[self._position] if self._jobs else None

    def show(self, jobs: list[ListedJob]) -> None:
        """Show other jobs. One that ended or is gone leaves the choice to what took its place."""
        chosen = self.job
        self._jobs = jobs
        waiting = (job.job_id for job in jobs if job.state == "queued")
        self._places = {job_id: place for place, job_id in enumerate(waiting, 1)}
        self._choose(
            next((i for i, job in enumerate(jobs) if _is_still(job, chosen)), self._position)
        )

    def action_choose(self, distance: int) -> None:
        """Choose a job above or below."""
        self._choose(self._position + distance)

    def action_page(self, direction: int) -> None:
        """Choose a job a screenful above or below."""
        self._choose(self._position + direction * max(self._room - 1, 1))

    def on_click(self, event: events.Click) -> None:
        """Choose what is under the pointer."""
        position = self._first_shown + event.y - 1
        if event.y > 0 and position < len(self._jobs):
            self._choose(position)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel goes through the jobs."""
        self._choose(self._position - 1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel goes through the jobs."""
        self._choose(self._position + 1)

    def on_resize(self) -> None:
        """Keep the chosen job in view."""
        self._scroll()

    def _choose(self, position: int) -> None:
        self._position = max(min(position, len(self._jobs) - 1), 0)
        self._scroll()
        self.post_message(self.Chosen(self.job))

    @property
    def _room(self) -> int:
        """How many jobs there are lines for, below the head."""
        return max(self.size.height - 1, 1)

    def _scroll(self) -> None:
        last = max(len(self._jobs) - self._room, 0)
        highest = max(self._position - self._room + 1, 0)
        self._first_shown = min(max(self._first_shown, highest), self._position, last)
        self.refresh()

    # Drawing -----------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """The head, or one job."""
        width = self.size.width
        columns, prompt_width = _layout(width)
        position = self._first_shown + y - 1
        if y == 0:
            cells = [(_cell(_STATE, "state"), "head"), ("place".rjust(_PLACE_WIDTH + 1), "head")]
            cells.append((_GAP + "prompt".ljust(prompt_width), "head"))
            cells += [(_GAP + _cell(column, column.name), "head") for column in columns]
            return self._strip([(" ", "head"), *cells], width, chosen=False)
        if position >= len(self._jobs):
            return Strip.blank(width, self.rich_style)
        job = self._jobs[position]
        is_chosen = position == self._position
        place = str(self._places.get(job.job_id, ""))
        cells = [
            ("›" if is_chosen else " ", "accent"),
            (_cell(_STATE, _STATE.text(job)), _STATES.get(job.state, "unit")),
            (place.rjust(_PLACE_WIDTH + 1), "label"),
            (
                _GAP + set_cell_size(_shortened(clean(job.prompt), prompt_width), prompt_width),
                "value" if job.state in GOING_ON else "label",
            ),
        ]
        cells += [(_GAP + _cell(column, column.text(job)), "label") for column in columns]
        return self._strip(cells, width, chosen=is_chosen)

    def _strip(self, cells: list[tuple[str, str]], width: int, *, chosen: bool) -> Strip:
        base = self.rich_style
        if chosen:
            base += self.get_component_rich_style("job-list--chosen", partial=True)
        segments = [
            Segment(text, base + self.get_component_rich_style(f"job-list--{part}", partial=True))
            for text, part in cells
        ]
        return Strip(segments).adjust_cell_length(width, base)


def _layout(width: int) -> tuple[list[_Column], int]:
    """The columns behind the prompt that leave it enough room, and how much that is."""
    columns = list(_TAIL)
    while True:
        taken = sum(len(_GAP) + column.width for column in columns)
        room = width - 1 - _STATE.width - 1 - _PLACE_WIDTH - len(_GAP) - taken
        rank = max((column.rank for column in columns), default=0)
        if room >= _SHORTEST_PROMPT or rank == 0:
            return columns, max(room, 1)
        columns = [column for column in columns if column.rank < rank]


def _is_still(job: ListedJob, chosen: ListedJob | None) -> bool:
    """Whether the chosen job is this one, and has neither ended since nor been queued again."""
    return (
        chosen is not None
        and job.job_id == chosen.job_id
        and (job.state in GOING_ON) == (chosen.state in GOING_ON)
    )


def _cell(column: _Column, text: str) -> str:
    text = _shortened(text, column.width)
    return text.rjust(column.width) if column.to_the_right else set_cell_size(text, column.width)


def _shortened(text: str, width: int) -> str:
    return text if cell_len(text) <= width else f"{set_cell_size(text, width - 1)}…"
