"""The queue that outlives its engine: every change is on the disk before anyone hears of it."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sdtui.engine.job import Job, new_job_id
from sdtui.errors import EngineError, ParameterError
from sdtui.history.database import Database, HistoryHeldUpError, HistoryUnwritableError
from sdtui.history.gallery import Gallery
from sdtui.history.jobs import JobStore, StoredJob
from sdtui.params import batch_of
from sdtui.protocol.events import JobCancelled, JobFailed, JobParked, JobSaved
from sdtui.protocol.requests import Submit

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 2
"""An interrupted job is tried once more, then parked: it may be what brings everything down."""

MAX_QUEUED = 1000

LOOK = "`sdtui queue` lists the jobs with their ids."
"""The remedy of an id that no such job has."""


class JobQueue:
    """The jobs that wait, first come first served, as they stand in the database.

    Its commits run on the event loop: milliseconds each, tens of them on a busy disk, and four of
    them for each job. No thread could make an answer that waits for the disk come sooner.

    While it is `paused`, nobody should take a job. `on_change` is called after every change of what
    waits, what ran, and how it ended. `unwritten` are the ends that the disk has refused so far.
    """

    def __init__(self, database: Database, on_change: Callable[[], None]) -> None:
        self._store = JobStore(database)
        self._gallery = Gallery(database)
        self._on_change = on_change
        self._waiting: deque[Job] = deque()
        self.unwritten: deque[tuple[Job, JobCancelled | JobFailed]] = deque()
        self.paused = self._store.is_paused()

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Job]:
        return iter(self._waiting)

    def restore(self) -> Iterator[tuple[Job, JobSaved | JobParked]]:
        """Let the jobs wait again that a former engine left, in their order.

        Those that had come to their end, and those that were interrupted once too often, are
        given back with the event that ends them. Raises `HistoryUnwritableError` where no room
        would help.
        """
        for stored in self._store.unfinished():
            job = Job.of(stored, position=len(self))
            # Only the file tells whether the engine ended just before or just after it was made.
            try:
                is_saved = self._gallery.settle(job.id)
            except HistoryHeldUpError:
                # What the file tells is asked again when there is room, before a second is made.
                log.exception("job %s waits for room on the disk", job.id)
                self._waiting.append(job)
                continue
            if is_saved:
                yield job, self._saved(job)
            elif stored.state == "running" and job.attempts >= MAX_ATTEMPTS:
                yield job, self._park(job)
            else:
                self._waiting.append(job)
                if stored.state == "running":
                    with _unwritten_is_interrupted(job):
                        self._store.wait_again(job.id)

    def put(self, request: Submit) -> list[Job]:
        """Let what is asked for wait behind all others: all of it or, when this raises, nothing.

        Raises `EngineError` when there is no room or it cannot be written down, and
        `ParameterError` for an impossible batch.
        """
        batch = {new_job_id(): params for params in batch_of(request.params, request.batch)}
        self._require_room(len(batch))
        self._store.add(batch, request.request_id, request.device, request.dtype)
        jobs = [
            Job(job_id, request.request_id, params, request.device, request.dtype)
            for job_id, params in batch.items()
        ]
        self._waiting.extend(jobs)
        self._on_change()
        return jobs

    def requeue(self, job_id: str) -> Job:
        """Let a job that ended without a picture wait anew behind all others.

        Raises `ParameterError` for any other job, and `EngineError` as `put` does.
        """
        self._require_room(1)
        self.write_ends()
        stored = self._unfulfilled(job_id)
        self._store.requeue(job_id)
        job = Job(
            stored.id,
            stored.request_id,
            stored.params,
            stored.device,
            stored.dtype,
            guidance_scale=stored.guidance_scale,
        )
        self._waiting.append(job)
        self._on_change()
        return job

    def clear_ended(self, job_id: str | None) -> None:
        """Forget the jobs that failed or were cancelled, or one alone, which may be parked.

        Raises `ParameterError` if that one is no job that ended without a picture, and
        `HistoryUnwritableError` as `take` does.
        """
        self.write_ends()
        if job_id is None:
            self._store.clear_ended()
        else:
            self._store.clear(self._unfulfilled(job_id).id)
        self._on_change()

    def _unfulfilled(self, job_id: str) -> StoredJob:
        stored = self._store.find_unfulfilled(job_id)
        if stored is None:
            raise ParameterError(
                "job_id", "no job that failed, was cancelled or is parked has it", LOOK
            )
        return stored

    def move_up(self, job_id: str) -> None:
        """Let a waiting job change places with the one before it; the first one stays.

        Raises `ParameterError` for a job that does not wait, and `HistoryUnwritableError` as `take`
        does.
        """
        job = self.find(job_id)
        if job is None:
            raise ParameterError("job_id", "no waiting job has it", LOOK)
        place = self._waiting.index(job)
        if place > 0:
            self._store.move_up(job_id)
            self._waiting[place] = self._waiting[place - 1]
            self._waiting[place - 1] = job
            self._on_change()

    def pause(self, paused: bool) -> None:
        """Hold the waiting jobs back, or let them go on; the next engine knows of it.

        Raises `HistoryUnwritableError` as `take` does.
        """
        if paused != self.paused:
            self._store.set_paused(paused)
            self.paused = paused
            self._on_change()

    def unfulfilled(self, limit: int) -> list[StoredJob]:
        """The jobs that `requeue` takes, newest first."""
        return self._store.unfulfilled(limit)

    def _require_room(self, count: int) -> None:
        if len(self) + count > MAX_QUEUED:
            raise EngineError(
                "The queue is full", f"{len(self)} of {MAX_QUEUED} jobs wait.", "Cancel some."
            )

    @property
    def next(self) -> Job:
        """The job that waits longest."""
        return self._waiting[0]

    def take(self) -> Job:
        """The next job, no longer waiting: this is an attempt, whatever comes of it.

        Raises `HistoryUnwritableError`, and leaves the job where it is, when that cannot be
        written down.
        """
        started_at = self._store.start(self.next.id)
        job = self._waiting.popleft()
        job.attempts += 1
        job.started_at, job.begun_at = started_at, time.monotonic()
        self._on_change()
        return job

    def put_back(self, job: Job) -> None:
        """Let an interrupted job be the next one."""
        self._waiting.appendleft(job)
        with _unwritten_is_interrupted(job):
            self._store.wait_again(job.id)
        self._on_change()

    def interrupt(self, job: Job) -> None:
        """The engine ends on purpose: its successor draws the job, this attempt forgotten."""
        with _unwritten_is_interrupted(job):
            self._store.interrupt(job.id)

    def find(self, job_id: str) -> Job | None:
        """The waiting job of this id."""
        return next((job for job in self._waiting if job.id == job_id), None)

    def adjust(self, job: Job, guidance_scale: float) -> None:
        """Let `job`, waiting or running, be drawn with another guidance, whoever draws it.

        Raises `HistoryUnwritableError`, and changes nothing, when that cannot be written down.
        """
        self._store.adjust(job.id, guidance_scale)
        job.guidance_scale = guidance_scale

    def cancel(self, job: Job) -> None:
        """Let `job` wait no longer. Raises `HistoryUnwritableError` as `take` does."""
        self._store.cancel(job.id)
        self._waiting.remove(job)
        self._on_change()

    def end(self, job: Job, event: JobSaved | JobCancelled | JobFailed) -> None:
        """Write down how a job ended that was taken. A saved one stands in the gallery already.

        What the disk refuses now is `unwritten` until `write_ends`. Should the engine die first,
        the next one takes the job for interrupted.
        """
        if not isinstance(event, JobSaved):
            self.unwritten.append((job, event))
            with _unwritten_is_interrupted(job):
                self.write_ends()
        self._on_change()

    def write_ends(self) -> None:
        """Write `unwritten` down. Raises `HistoryUnwritableError` while the disk refuses."""
        if self.unwritten:
            self._on_change()
        while self.unwritten:
            job, event = self.unwritten[0]
            match event:
                case JobCancelled():
                    self._store.cancel(job.id, ended_at=event.time)
                case JobParked():
                    self._store.park(job.id, *_why(event), ended_at=event.time)
                case JobFailed():
                    self._store.fail(job.id, *_why(event), ended_at=event.time)
            self.unwritten.popleft()

    def _saved(self, job: Job) -> JobSaved:
        picture = self._gallery.find(job.id)
        assert picture is not None
        return job.saved(picture)

    def _park(self, job: Job) -> JobParked:
        event = job.parked(
            f"The engine ended {job.attempts} times during this job",
            "It was killed or crashed: memory ran out, or the machine or your session on it ended.",
            "Choose a smaller picture or model, or free some memory. If you only logged out or"
            " restarted the machine, queue it again.",
        )
        self.end(job, event)
        return event


def _why(event: JobFailed) -> tuple[str, str, str]:
    return event.title, event.message, event.remedy


@contextmanager
def _unwritten_is_interrupted(job: Job) -> Iterator[None]:
    """Go on where the disk refuses a change that the next engine makes up for.

    To that one the job is still running, that is interrupted: it is drawn again or parked, which
    is less than was known, but neither lost nor in the gallery twice.
    """
    try:
        yield
    except HistoryUnwritableError:
        log.exception("what became of job %s could not be written down", job.id)
