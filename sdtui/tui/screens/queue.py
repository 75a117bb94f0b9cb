"""The queue's screen: what runs and waits, and what can be queued again."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from sdtui.protocol.events import GOING_ON, ListedJob, QueueChanged
from sdtui.text import clean
from sdtui.tui.actions import bindings
from sdtui.tui.bridge import Client, EngineBridge
from sdtui.tui.messages import EngineLost, EventReceived
from sdtui.tui.queue_actions import QUEUE_ACTIONS
from sdtui.tui.screens.asking import WatchingScreen
from sdtui.tui.stylesheets import styles_dir
from sdtui.tui.widgets.job_list import JobList
from sdtui.tui.widgets.key_bar import KeyBar

_CLEARED = ("failed", "cancelled")
_ENDED = (*_CLEARED, "parked")
_HINT = "⏎ in the prompt lets a picture wait while another one is made."


class QueueScreen(WatchingScreen[None]):
    """Shows the queue as the engine tells it, and asks the engine for every change."""

    CSS_PATH = styles_dir() / "queue.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings("screen", QUEUE_ACTIONS)
    actions = QUEUE_ACTIONS

    def __init__(self, bridge: EngineBridge) -> None:
        super().__init__(bridge)
        self.jobs = JobList(id="jobs")
        self._pane = Vertical(id="queue")
        self._empty = Static(id="empty")
        self._about = Static(id="about")

    def compose(self) -> ComposeResult:
        """The list, and below it what is known of the chosen job."""
        yield self.status
        with self._pane:
            yield self.jobs
            yield self._empty
            yield self._about
        yield KeyBar(QUEUE_ACTIONS, id="keys")

    def on_mount(self) -> None:
        """Begin with what is known."""
        self._pane.border_title = Content("queue")
        self._show_queue()

    # What the engine says ----------------------------------------------------------------------

    @on(EventReceived)
    def _show_event(self, message: EventReceived) -> None:
        if isinstance(message.event, QueueChanged):
            self._show_queue()
        self.status.show(message.event)

    @on(EngineLost)
    def _engine_is_gone(self) -> None:
        self.show_lost_engine("trying again")
        self._show_queue()

    def _show_queue(self) -> None:
        queue = self.bridge.queue
        jobs = queue.jobs if queue else []
        self.set_class(not jobs, "-empty")
        self.jobs.show(jobs)
        waiting = sum(job.state == "queued" for job in jobs)
        words = [f"{waiting} waiting"] if waiting else []
        if queue and queue.paused:
            words.append("paused: p lets it go on")
        self._pane.border_subtitle = Content(" · ".join(words))
        self._empty.update(Content("\n").join(_empty(queue)))
        if jobs and self.focused is None:
            # The list lost the focus when it was hidden.
            self.set_focus(self.jobs)

    @on(JobList.Chosen)
    def _show_chosen(self, message: JobList.Chosen) -> None:
        self._about.update(_about(message.job) if message.job else Content(""))
        self.status.look_at_note()

    # Actions -----------------------------------------------------------------------------------

    def action_cancel_job(self) -> None:
        """Stop the chosen job."""
        self._change(lambda client, job_id: client.cancel(job_id), GOING_ON, "it has ended")

    def action_move_up(self) -> None:
        """Let the chosen job begin earlier."""
        self._change(lambda client, job_id: client.move_up(job_id), ("queued",), "it does not wait")

    def action_requeue(self) -> None:
        """Let the chosen job wait once more."""
        self._change(
            lambda client, job_id: client.requeue(job_id),
            _ENDED,
            "it has not ended",
        )

    def action_clear(self) -> None:
        """Let the list forget what failed or was cancelled."""
        client = self.bridge.client
        if client is None or self._nothing_to_clear():
            self.status.note(self._nothing_to_clear)
        else:
            self.ask(client.clear_ended())

    def action_clear_this_one(self) -> None:
        """Let the list forget the chosen job."""
        self._change(lambda client, job_id: client.clear_ended(job_id), _ENDED, "cancel it first")

    def action_pause(self) -> None:
        """Let no waiting job begin, or let them go on."""
        client, queue = self.bridge.client, self.bridge.queue
        if client is None or queue is None:
            self.status.note(self._engine_is_missing)
        else:
            self.ask(client.resume_queue() if queue.paused else client.pause_queue())

    def action_back(self) -> None:
        """Go back to the main screen."""
        self.dismiss()

    def _change(
        self,
        ask: Callable[[Client, str], Coroutine[Any, Any, None]],
        states: tuple[str, ...],
        otherwise: str,
    ) -> None:
        """Ask for a change of the chosen job if it is in one of `states`."""
        client, job = self.bridge.client, self.jobs.job
        if client is None:
            self.status.note(self._engine_is_missing)
        elif job is None:
            self.status.note(lambda: "" if self.jobs.job else "there is no job")
        elif job.state not in states:
            words = f"this job is {job.state}: {otherwise}"
            self.status.note(lambda: words if self._is_still_chosen(job) else "")
        else:
            self.ask(ask(client, job.job_id))

    # What is noted, for as long as it is so ----------------------------------------------------

    def _engine_is_missing(self) -> str:
        return "" if self.bridge.client and self.bridge.queue else "the engine is not there"

    def _nothing_to_clear(self) -> str:
        jobs = self.bridge.queue.jobs if self.bridge.queue else []
        ended = any(job.state in _CLEARED for job in jobs)
        return self._engine_is_missing() or ("" if ended else "no job failed or was cancelled")

    def _is_still_chosen(self, job: ListedJob) -> bool:
        chosen = self.jobs.job
        return chosen is not None and (chosen.job_id, chosen.state) == (job.job_id, job.state)


def _empty(queue: QueueChanged | None) -> list[Content]:
    """What stands in the place of jobs."""
    if queue is None:
        return [Content.styled("The queue is shown when the engine is there.", "$label")]
    return [Content.styled("Nothing waits.", "$label"), Content(""), Content(_HINT)]


def _about(job: ListedJob) -> Content:
    """What a line of the list has no room for."""
    figures = f"{job.width}×{job.height} · {job.num_inference_steps} steps · seed {job.seed}"
    lines = [Content.assemble((clean(job.model), "$value"), (f" · {figures}", "$label"))]
    if job.title:
        why = " ".join(part for part in (f"{job.title}.", job.message, job.remedy) if part)
        lines.append(Content.styled(clean(why), "$error"))
    else:
        lines.append(Content.styled(clean(job.prompt), "$label"))
    return Content("\n").join(lines)
