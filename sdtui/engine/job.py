"""One job and the queue that it waits in."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from sdtui.engine.backlog import Backlog
from sdtui.errors import EngineError
from sdtui.params import GenerationParams
from sdtui.protocol.codec import encode
from sdtui.protocol.events import (
    Event,
    GuidanceAdjusted,
    ImageDecoded,
    JobCancelled,
    JobFailed,
    JobQueued,
    JobStarted,
    StepCompleted,
)
from sdtui.protocol.requests import LoadModel


def new_job_id() -> str:
    """Sixteen hexadecimal digits that no other job has."""
    return secrets.token_hex(8)


@dataclass(eq=False)
class Job:
    """A generation from its submission to its end, with all that happened to it.

    `attempts` counts how often a worker took it up. `guidance_scale` is what the user changed it
    to, None while it is that of the parameters; `adjustments` are the pairs of step index and
    guidance scale that took effect. `image` is there from the decoding on.
    """

    id: str
    request_id: str
    params: GenerationParams
    device: str
    dtype: str
    attempts: int = 0
    cancelled: bool = False
    guidance_scale: float | None = None
    adjustments: list[tuple[int, float]] = field(default_factory=list)
    started_at: float = 0.0
    completed: int = 0
    count: int = 0
    image: ImageDecoded | None = None
    record: Backlog = field(default_factory=Backlog)

    def note(self, event: Event, frame: bytes) -> None:
        """Add `event` to the record that late clients are shown."""
        self.record.append(event, frame)
        match event:
            case JobStarted():
                self.started_at = event.time
            case StepCompleted():
                self.completed, self.count = event.step_index + 1, event.count
            case GuidanceAdjusted():
                self.adjustments.append((event.step_index, event.guidance_scale))
            case ImageDecoded():
                self.image = event

    def queued(self, position: int) -> JobQueued:
        """The event that begins the job; `position` jobs are before it."""
        return JobQueued(
            job_id=self.id, request_id=self.request_id, params=self.params, position=position
        )

    def cancellation(self) -> JobCancelled:
        """The event that ends the job when the user stops it, as far as it got."""
        return JobCancelled(job_id=self.id, completed=self.completed, count=self.count)

    def failure(self, title: str, message: str = "", remedy: str = "") -> JobFailed:
        """The event that ends the job when the engine cannot carry it out."""
        return JobFailed(
            job_id=self.id,
            title=title,
            message=message,
            remedy=remedy,
            exit_code=EngineError.exit_code,
        )

    def draws_with(self, request: LoadModel) -> bool:
        """Whether `request` loads just what this job needs."""
        wanted = (self.params.model, self.device, self.dtype)
        return wanted == (request.model, request.device, request.dtype)

    def start_over(self) -> None:
        """Forget what a dead worker did; the job waits as if it had just been queued."""
        self.record = Backlog()
        self.adjustments = []
        self.completed = self.count = 0
        queued = self.queued(0)
        self.note(queued, encode(queued))


class JobQueue:
    """The jobs that wait, first come first served. They live in memory."""

    def __init__(self) -> None:
        self._waiting: deque[Job] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Job]:
        return iter(self._waiting)

    def put(self, job: Job) -> None:
        """Let `job` wait behind all others."""
        self._waiting.append(job)

    def put_back(self, job: Job) -> None:
        """Let `job` be the next one."""
        self._waiting.appendleft(job)

    @property
    def next(self) -> Job:
        """The job that waits longest."""
        return self._waiting[0]

    def take(self) -> Job:
        """The next job, no longer waiting."""
        return self._waiting.popleft()

    def find(self, job_id: str) -> Job | None:
        """The waiting job of this id."""
        return next((job for job in self._waiting if job.id == job_id), None)

    def remove(self, job: Job) -> None:
        """Let `job` wait no longer."""
        self._waiting.remove(job)
