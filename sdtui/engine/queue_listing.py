"""The queue as clients see it, told once for all that changes in a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from sdtui.engine.job import Job
from sdtui.engine.job_queue import JobQueue
from sdtui.history.jobs import JobStore, StoredJob
from sdtui.protocol.events import (
    JobCancelled,
    JobFailed,
    JobParked,
    ListedJob,
    QueueChanged,
)

MAX_UNFULFILLED = 50
"""How many of the jobs that can be queued again are listed."""

_MOMENT_SECONDS = 0.05
_LONGEST_PROMPT = 200
"""What a line of a list has room for; a thousand jobs are sent at once."""


class QueueListing:
    """Looks at the queue and the running job, and calls `tell` soon after `changed` was called."""

    def __init__(
        self,
        queue: JobQueue,
        running: Callable[[], Job | None],
        tell: Callable[[QueueChanged], None],
    ) -> None:
        self._queue = queue
        self._running = running
        self._tell = tell
        self._timer: asyncio.TimerHandle | None = None

    def changed(self) -> None:
        """Tell how the queue is when this moment is over."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(_MOMENT_SECONDS, self._moment_is_over)

    def now(self) -> QueueChanged:
        """How the queue is."""
        running = self._running()
        jobs = [_line(running, "running", running.started_at)] if running else []
        jobs += [_line(job, "queued", job.queued_at) for job in self._queue]
        jobs += [_line_of_an_end(*ended) for ended in reversed(self._queue.unwritten)]
        jobs += map(_line_of_the_past, self._queue.unfulfilled(MAX_UNFULFILLED))
        return QueueChanged(paused=self._queue.paused, jobs=jobs)

    def _moment_is_over(self) -> None:
        self._timer = None
        self._tell(self.now())


def queue_at_rest(store: JobStore) -> QueueChanged:
    """The queue while no engine runs. What the last one left running waits for the next."""
    jobs = [_line(job, "queued", job.queued_at) for job in store.left()]
    jobs += map(_line_of_the_past, store.unfulfilled(MAX_UNFULFILLED))
    return QueueChanged(paused=store.is_paused(), jobs=jobs)


def _line(job: Job | StoredJob, state: str, since: float) -> ListedJob:
    params = job.params
    prompt = params.prompt
    if len(prompt) > _LONGEST_PROMPT:
        prompt = prompt[: _LONGEST_PROMPT - 1] + "…"
    return ListedJob(
        job_id=job.id,
        state=state,
        since=since,
        prompt=prompt,
        model=params.model,
        width=params.width,
        height=params.height,
        num_inference_steps=params.num_inference_steps,
        seed=params.seed,
    )


def _line_of_an_end(job: Job, event: JobCancelled | JobFailed) -> ListedJob:
    if isinstance(event, JobCancelled):
        return _line(job, "cancelled", event.time)
    line = _line(job, "parked" if isinstance(event, JobParked) else "failed", event.time)
    return msgspec.structs.replace(
        line, title=event.title, message=event.message, remedy=event.remedy
    )


def _line_of_the_past(job: StoredJob) -> ListedJob:
    line = _line(job, job.state, job.ended_at or job.queued_at)
    return msgspec.structs.replace(line, title=job.title, message=job.message, remedy=job.remedy)
