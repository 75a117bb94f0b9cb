"""The queue meets the worker: which job runs, what became of it, and what a dead worker costs."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterator, Sequence

import msgspec

import sdtui
from sdtui.engine.backlog import Backlog
from sdtui.engine.exit_causes import describe_exit
from sdtui.engine.job import Job, JobQueue, new_job_id
from sdtui.engine.model_loading import ModelLoading
from sdtui.engine.restarting_worker import RestartingWorker
from sdtui.engine.saving import save
from sdtui.engine.worker_process import WORKER_COMMAND
from sdtui.errors import EngineError
from sdtui.protocol.codec import encode
from sdtui.protocol.events import (
    EngineStatus,
    Event,
    ImageDecoded,
    JobCancelled,
    JobEvent,
    JobFailed,
    JobSaved,
    LoadingEvent,
    ModelFailed,
    ModelLoaded,
    PreviewReady,
    WorkerEvent,
    WorkerReady,
)
from sdtui.protocol.requests import (
    Adjust,
    Cancel,
    GrantPreview,
    LoadModel,
    RunJob,
    Submit,
)

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 2
"""A job whose worker dies is tried once more, then given up."""

MAX_QUEUED = 1000

Publish = Callable[[Event, bytes], None]
"""Called with every event that clients may see, and its encoded form."""


class Dispatcher:
    """Feeds one worker from the queue, one job at a time, and saves what it draws.

    `publish` is called for every event in the order in which it happened. A job ends when its
    picture is on the disk, so its events never mix with the next one's.
    """

    def __init__(self, publish: Publish, worker_command: Sequence[str] = WORKER_COMMAND) -> None:
        self._publish = publish
        self._queue = JobQueue()
        self._job: Job | None = None
        self._last: Job | None = None
        self._saving: asyncio.Task[None] | None = None
        self._worker = RestartingWorker(
            worker_command,
            on_event=self._take,
            on_end=self._worker_ended,
            on_give_up=self._give_up,
        )
        self._stopping = False
        self._preview_granted = False
        self._models = ModelLoading()
        self.status = self._status_now()

    # What clients ask ---------------------------------------------------------------------------

    def submit(self, request: Submit) -> None:
        """Queue a job, or raise `EngineError` when the queue is full."""
        if self._stopping:
            raise EngineError("The engine is stopping", "", "Try again in a moment.")
        if len(self._queue) >= MAX_QUEUED:
            raise EngineError("The queue is full", f"{MAX_QUEUED} jobs wait.", "Cancel some.")
        job = Job(new_job_id(), request.request_id, request.params, request.device, request.dtype)
        position = len(self._queue) + (self._job is not None)
        self._queue.put(job)
        self._emit(job.queued(position), job)
        self._models.wanted = None
        self._proceed()

    def cancel(self, request: Cancel) -> None:
        """Stop a job. One that has ended has said so itself, and is left alone."""
        if job := self._queue.find(request.job_id):
            self._queue.remove(job)
            self._emit(JobCancelled(job_id=job.id, completed=0, count=0), job)
            self._proceed()
        elif self._job is not None and self._job.id == request.job_id:
            self._job.cancelled = True
            self._worker.send(request)

    def adjust(self, request: Adjust) -> None:
        """Change the guidance of a job, from its next step on if it runs."""
        if job := self._queue.find(request.job_id):
            job.guidance_scale = request.guidance_scale
        elif self._job is not None and self._job.id == request.job_id:
            self._job.guidance_scale = request.guidance_scale
            self._worker.send(request)

    def load_model(self, request: LoadModel) -> None:
        """Bring a model into memory ahead of its use. Jobs at hand bring their own."""
        if not self.has_jobs:
            self._models.wanted = request
            self._proceed()

    def grant_preview(self) -> None:
        """Let the worker make one preview; a second grant before it does so adds nothing."""
        if self._worker.state == "ready" and not self._preview_granted:
            self._preview_granted = True
            self._worker.send(GrantPreview())

    async def stop(self) -> None:
        """End the worker and every job that is not yet being saved."""
        self._stopping = True
        self._tell_status()
        if self._saving is not None:
            await self._saving
        for job in self._unfinished():
            self._emit(job.failure("The engine was stopped"), job)
        await self._worker.stop()

    def _unfinished(self) -> list[Job]:
        """The running job, unless it is being saved, and those that wait."""
        running = [self._job] if self._job is not None and self._saving is None else []
        return [*running, *self._queue]

    # What clients are shown ---------------------------------------------------------------------

    @property
    def has_jobs(self) -> bool:
        """Whether a job runs or waits."""
        return bool(self._job or self._queue)

    @property
    def has_work(self) -> bool:
        """Whether anything runs, waits or loads."""
        return self.has_jobs or bool(self._models.is_ahead or self._models.wanted)

    def replay(self, *, with_last: bool) -> Iterator[Backlog]:
        """The records that bring a late client up to date, in order.

        With `with_last`, a job that has ended stands in while none runs.
        """
        if self._job is not None:
            yield self._job.record
        elif self._models.record is not None:
            yield self._models.record
        elif self._last is not None and with_last:
            yield self._last.record
        for job in self._queue:
            yield job.record

    def _emit(self, event: Event, job: Job | None = None) -> None:
        self._publish_for(job, event, encode(event))

    def _publish_for(self, job: Job | None, event: Event, frame: bytes) -> None:
        if job is not None:
            job.note(event, frame)
        self._publish(event, frame)

    def _tell_status(self) -> None:
        status = self._status_now()
        if msgspec.structs.replace(status, time=self.status.time) != self.status:
            self.status = status
            self._emit(status)

    def _status_now(self) -> EngineStatus:
        if self._stopping:
            state = "stopping"
        elif self._worker.state in ("starting", "restarting"):
            state = self._worker.state
        elif self._models.record is not None:
            state = "loading"
        else:
            state = "running" if self._job else "idle"
        loaded = self._models.loaded
        return EngineStatus(
            state=state,
            version=sdtui.__version__,
            pid=os.getpid(),
            model=loaded.model if loaded else "",
            device=loaded.device if loaded else "",
            dtype=loaded.dtype if loaded else "",
            queued=len(self._queue),
            running_job_id=self._job.id if self._job else None,
        )

    # The queue meets the worker -----------------------------------------------------------------

    def start_worker(self) -> None:
        """Start the worker unless it runs, so that it has torch at hand when a job comes."""
        self._worker.start()
        self._tell_status()

    def _proceed(self) -> None:
        """Give an idle worker the next thing to do."""
        if self.has_work:
            self._worker.start()
        if self._worker.state == "ready" and self._job is None and not self._stopping:
            if self._queue:
                self._run_next()
            elif request := self._models.ask():
                self._worker.send(request)
        self._tell_status()

    def _run_next(self) -> None:
        if self._models.serves(self._queue.next):
            # Its model is on the way; until then the job waits where it can be cancelled at once.
            return
        job = self._job = self._queue.take()
        job.attempts += 1
        self._worker.send(
            RunJob(
                job_id=job.id,
                params=job.params,
                device=job.device,
                dtype=job.dtype,
                guidance_scale=job.guidance_scale,
            )
        )

    def _take(self, event: WorkerEvent) -> None:
        """Carry on with what the worker says."""
        if isinstance(event, WorkerReady):
            self._proceed()
        elif isinstance(event, LoadingEvent):
            self._take_loading(event)
        elif self._job is not None and event.job_id == self._job.id:
            self._take_job_event(event, self._job)

    def _take_loading(self, event: LoadingEvent) -> None:
        frame = encode(event)
        job = None if self._models.is_ahead else self._job
        if self._models.take(event, frame, for_job=self._job is not None):
            self._publish_for(job, event, frame)
        if isinstance(event, ModelLoaded | ModelFailed):
            self._proceed()
        else:
            self._tell_status()

    def _take_job_event(self, event: JobEvent, job: Job) -> None:
        if isinstance(event, JobCancelled | JobFailed):
            self._finish(job, event)
            return
        if isinstance(event, PreviewReady):
            self._preview_granted = False
        self._emit(event, job)
        if isinstance(event, ImageDecoded):
            self._saving = asyncio.create_task(self._save(job, event))

    async def _save(self, job: Job, image: ImageDecoded) -> None:
        self._finish(job, await save(job, image))

    def _finish(self, job: Job, event: JobSaved | JobCancelled | JobFailed) -> None:
        self._emit(event, job)
        self._last, self._job = job, None
        self._saving = self._models.record = None
        self._proceed()

    # The worker's life --------------------------------------------------------------------------

    def _worker_ended(self, returncode: int) -> None:
        message, remedy = describe_exit(returncode)
        log.error("%s", message)
        self._preview_granted = False
        if model := self._models.worker_ended():
            self._emit(
                ModelFailed(model=model, title="Loading stopped", message=message, remedy=remedy)
            )
        job = self._job
        if job is not None and job.image is None:
            if job.cancelled:
                self._finish(job, job.cancellation())
            elif job.attempts >= MAX_ATTEMPTS:
                title = f"The worker died {job.attempts} times on this job"
                self._finish(job, job.failure(title, message, remedy))
            else:
                job.start_over()
                self._queue.put_back(job)
                self._job = None
        self._tell_status()

    def _give_up(self) -> None:
        """There will be no worker: say so for all that needs one."""
        self._models = ModelLoading()
        jobs = self._unfinished()
        self._queue = JobQueue()
        for job in jobs:
            failure = job.failure(
                "The worker cannot be started",
                "It ended before it was ready.",
                "`sdtui engine logs` shows why; `sdtui doctor` checks the installation.",
            )
            self._emit(failure, job)
        if not self._saving:
            self._job = None
        self._tell_status()
