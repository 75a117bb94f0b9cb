"""The queue that outlives its engine: every change is on the disk before anyone hears of it."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from sdtui.engine.job import Job
from sdtui.errors import EngineError
from sdtui.history.database import Database, HistoryUnwritableError
from sdtui.history.gallery import Gallery
from sdtui.history.jobs import JobStore
from sdtui.protocol.events import JobCancelled, JobFailed, JobParked, JobSaved

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 2
"""An interrupted job is tried once more, then parked: it may be what brings everything down."""

MAX_QUEUED = 1000


class JobQueue:
    """The jobs that wait, first come first served, as they stand in the database.

    Its commits run on the event loop: milliseconds each, tens of them on a busy disk, and four of
    them for each job. No thread could make an answer that waits for the disk come sooner.
    """

    def __init__(self, database: Database) -> None:
        self._store = JobStore(database)
        self._gallery = Gallery(database)
        self._waiting: deque[Job] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Job]:
        return iter(self._waiting)

    def restore(self) -> Iterator[tuple[Job, JobSaved | JobParked]]:
        """Let the jobs wait again that a former engine left, in their order.

        Those that had come to their end, and those that were interrupted once too often, are
        given back with the event that ends them.
        """
        for stored in self._store.unfinished():
            job = Job.of(stored, position=len(self))
            # Only the file tells whether the engine ended just before or just after it was made.
            if self._gallery.settle(job.id):
                yield job, self._saved(job)
            elif stored.state == "running" and job.attempts >= MAX_ATTEMPTS:
                yield job, self._park(job)
            else:
                self._waiting.append(job)
                if stored.state == "running":
                    with _unwritten_is_interrupted(job):
                        self._store.wait_again(job.id)

    def put(self, job: Job) -> None:
        """Let `job` wait behind all others.

        Raises `EngineError` when the queue is full or cannot be written down.
        """
        if len(self) >= MAX_QUEUED:
            raise EngineError("The queue is full", f"{MAX_QUEUED} jobs wait.", "Cancel some.")
        self._store.add(job.id, job.request_id, job.params, job.device, job.dtype)
        self._waiting.append(job)

    @property
    def next(self) -> Job:
        """The job that waits longest."""
        return self._waiting[0]

    def take(self) -> Job:
        """The next job, no longer waiting: this is an attempt, whatever comes of it.

        Raises `HistoryUnwritableError`, and leaves the job where it is, when that cannot be
        written down.
        """
        self._store.start(self.next.id)
        job = self._waiting.popleft()
        job.attempts += 1
        return job

    def put_back(self, job: Job) -> None:
        """Let an interrupted job be the next one."""
        self._waiting.appendleft(job)
        with _unwritten_is_interrupted(job):
            self._store.wait_again(job.id)

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

    def end(self, job: Job, event: JobSaved | JobCancelled | JobFailed) -> None:
        """Write down how a job ended that was taken. A saved one stands in the gallery already."""
        with _unwritten_is_interrupted(job):
            match event:
                case JobCancelled():
                    self._store.cancel(job.id)
                case JobParked():
                    self._store.park(job.id, event.title, event.message, event.remedy)
                case JobFailed():
                    self._store.fail(job.id, event.title, event.message, event.remedy)

    def _saved(self, job: Job) -> JobSaved:
        picture = self._gallery.find(job.id)
        assert picture is not None
        took = (picture.job.ended_at or 0.0) - (picture.job.started_at or 0.0)
        return JobSaved(job_id=job.id, path=picture.path, size=picture.size, seconds=took)

    def _park(self, job: Job) -> JobParked:
        event = job.parked(
            f"The engine ended {job.attempts} times during this job",
            "It was killed or crashed, most likely because memory ran out.",
            "Choose a smaller picture or model, or free some memory.",
        )
        self.end(job, event)
        return event


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
