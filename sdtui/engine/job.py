"""One job, with all that happens to it."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field

from sdtui.engine.backlog import Backlog
from sdtui.history.gallery import Picture
from sdtui.history.jobs import StoredJob
from sdtui.params import GenerationParams
from sdtui.protocol.codec import encode
from sdtui.protocol.events import (
    Event,
    GuidanceAdjusted,
    ImageDecoded,
    JobCancelled,
    JobInterrupted,
    JobParked,
    JobQueued,
    JobSaved,
    PromptTokenized,
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
    guidance scale that took effect. `slowest_step` is in seconds. `is_drawing` says that its worker
    has all that it needs and should be computing; `image` is there from the decoding on.
    `begun_at` is when `started_at` was by the clock that nobody sets.
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
    begun_at: float = 0.0
    completed: int = 0
    count: int = 0
    slowest_step: float = 0.0
    is_drawing: bool = False
    image: ImageDecoded | None = None
    queued_at: float = field(default_factory=time.time)
    record: Backlog = field(default_factory=Backlog)

    @classmethod
    def of(cls, stored: StoredJob, position: int) -> Job:
        """A job that a former engine accepted; `position` jobs are before it."""
        job = cls(
            stored.id,
            stored.request_id,
            stored.params,
            stored.device,
            stored.dtype,
            attempts=stored.attempts,
            guidance_scale=stored.guidance_scale,
            queued_at=stored.queued_at,
        )
        job._begin(position)
        return job

    def note(self, event: Event, frame: bytes) -> None:
        """Add `event` to the record that late clients are shown."""
        self.record.append(event, frame)
        match event:
            case PromptTokenized():
                self.is_drawing = True
            case StepCompleted():
                self.completed, self.count = event.step_index + 1, event.count
                seconds = event.seconds + event.preview_seconds
                self.slowest_step = max(self.slowest_step, seconds)
            case GuidanceAdjusted():
                self.adjustments.append((event.step_index, event.guidance_scale))
            case ImageDecoded():
                self.is_drawing = False
                self.image = event

    def queued(self, position: int) -> JobQueued:
        """The event that begins the job; `position` jobs are before it."""
        return JobQueued(
            job_id=self.id,
            request_id=self.request_id,
            params=self.params,
            position=position,
            time=self.queued_at,
        )

    def saved(self, picture: Picture) -> JobSaved:
        """The event that ends the job when `picture` is what it became."""
        return JobSaved(
            job_id=self.id, path=picture.path, size=picture.size, seconds=picture.job.seconds
        )

    def cancellation(self) -> JobCancelled:
        """The event that ends the job when the user stops it, as far as it got."""
        return JobCancelled(job_id=self.id, completed=self.completed, count=self.count)

    def parked(self, title: str, message: str, remedy: str) -> JobParked:
        """The event that ends the job, for now, when the engine cannot carry it out."""
        return JobParked(job_id=self.id, title=title, message=message, remedy=remedy)

    def interrupted(self, message: str, remedy: str) -> JobInterrupted:
        """The event that tells why the job begins again."""
        title = "The job begins again"
        return JobInterrupted(job_id=self.id, title=title, message=message, remedy=remedy)

    def draws_with(self, request: LoadModel) -> bool:
        """Whether `request` loads just what this job needs."""
        wanted = (self.params.model, self.device, self.dtype)
        return wanted == (request.model, request.device, request.dtype)

    def start_over(self) -> None:
        """Forget what a dead worker did; the job waits as if it had just been queued."""
        self.record = Backlog()
        self.is_drawing = False
        self.adjustments = []
        self.completed = self.count = 0
        self.slowest_step = 0.0
        self._begin(position=0)

    def wait_at(self, position: int) -> None:
        """Let the record begin with where the job waits now."""
        _, *later = self.record
        self.record = Backlog()
        self._begin(position)
        for key, frame in later:
            self.record.add(key, frame)

    def _begin(self, position: int) -> None:
        queued = self.queued(position)
        self.note(queued, encode(queued))
