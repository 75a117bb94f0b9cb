"""The queue meets the worker: which job runs, what became of it, and what a dead worker costs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import msgspec

from sdtui.engine.backlog import Backlog
from sdtui.engine.exit_causes import ExitCause, deaf
from sdtui.engine.job import Job
from sdtui.engine.job_queue import LOOK, MAX_ATTEMPTS, JobQueue
from sdtui.engine.model_loading import ModelLoading
from sdtui.engine.patience import Patience
from sdtui.engine.queue_listing import QueueListing
from sdtui.engine.restarting_worker import RestartingWorker
from sdtui.engine.saving import PictureSaver, is_kept
from sdtui.engine.status import engine_status
from sdtui.engine.worker_process import WORKER_COMMAND
from sdtui.errors import EngineError, ParameterError
from sdtui.history.database import Database, HistoryHeldUpError, HistoryUnwritableError
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
    QueueChanged,
    SavingDelayed,
    Trouble,
    WorkerEvent,
    WorkerReady,
)
from sdtui.protocol.requests import (
    Adjust,
    Cancel,
    ClearEnded,
    GrantPreview,
    LoadModel,
    MoveUp,
    ReopenLog,
    Requeue,
    RunJob,
    Submit,
)

log = logging.getLogger(__name__)

_WITH_LATENTS = GrantPreview(latents=True)

_SLOWEST_STEPS = 5
"""A cancelled job may take as long as so many of its slowest steps: it ends between two of them."""

Publish = Callable[[Event, bytes], None]
"""Called with every event that clients may see, and its encoded form."""


class Dispatcher:
    """Feeds one worker from the queue, one job at a time, and saves what it draws.

    `publish` is called for every event in the order in which it happened. A job ends when its
    picture is on the disk, so its events never mix with the next one's. `waits_for_disk` says that
    a picture, an end or a beginning is to be written as soon as there is room.
    """

    def __init__(
        self,
        publish: Publish,
        database: Database,
        worker_command: Sequence[str] = WORKER_COMMAND,
        patience: Patience = Patience(),  # noqa: B008 - it is frozen
    ) -> None:
        self._publish = publish
        self._queue = JobQueue(database, on_change=lambda: self._listing.changed())
        self._listing = QueueListing(self._queue, lambda: self._job, self._emit)
        self._job: Job | None = None
        self._last: Job | None = None
        self._saver = PictureSaver(
            database,
            disk_look=patience.disk_look,
            on_delay=self._delay,
            on_end=self._finish,
        )
        self._worker = RestartingWorker(
            worker_command,
            patience,
            is_drawing=lambda: self._job is not None and self._job.is_drawing,
            on_event=self._take,
            on_end=self._worker_ended,
            on_give_up=self._give_up,
        )
        self._patience = patience
        self._rest: asyncio.TimerHandle | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._stopping = False
        self._granted: GrantPreview | None = None
        self._models = ModelLoading()
        self._trouble: Trouble | None = None
        self.waits_for_disk = False
        self.status = self._status_now()

    # What clients ask ---------------------------------------------------------------------------

    def submit(self, request: Submit) -> None:
        """Queue what is asked for, or raise `SdtuiError` when the queue cannot take all of it."""
        self._require_future()
        self._accept(self._queue.put(request))

    def requeue(self, request: Requeue) -> None:
        """Queue a job again that ended without a picture, or raise `SdtuiError`."""
        self._require_future()
        self._accept([self._queue.requeue(request.job_id)])

    def move_up(self, request: MoveUp) -> None:
        """Let a waiting job change places with the one before it, or raise `SdtuiError`."""
        self._queue.move_up(request.job_id)

    def clear_ended(self, request: ClearEnded) -> None:
        """Forget jobs that ended without a picture, or raise `SdtuiError`."""
        self._queue.clear_ended(request.job_id)

    def pause(self, paused: bool) -> None:
        """Hold the waiting jobs back, or let them go on. Raises `SdtuiError` when it cannot."""
        self._queue.pause(paused)
        if not paused:
            self._trouble = None
        self._proceed()

    def cancel(self, request: Cancel) -> None:
        """Stop a job that runs or waits, or raise `SdtuiError`."""
        job = self._at_hand(request.job_id)
        if job is self._job:
            if not job.cancelled:
                self._expect_end(job)
            job.cancelled = True
            self._worker.send(request)
            self._saver.cancel()
            return
        self._queue.cancel(job)
        if (load := self._models.unanswered) and self._models.serves(job):
            # That may be why nobody waits for it any more; a model that goes on coming is kept.
            self._expect_end(load)
        self._emit(JobCancelled(job_id=job.id, completed=0, count=0), job)
        self._proceed()

    def _expect_end(self, given_up: Job | LoadModel) -> None:
        """Have the worker replaced in a while if it hangs in what was given up.

        One whose device hangs reads no request, or never comes to heed it.
        """
        seconds = self._patience.cancel
        if isinstance(given_up, Job):
            seconds = max(seconds, _SLOWEST_STEPS * given_up.slowest_step)
        asyncio.get_running_loop().call_later(
            seconds, self._enforce, given_up, seconds, self._worker.memory_pages
        )

    def _enforce(self, given_up: Job | LoadModel, seconds: float, memory: int | None) -> None:
        """Replace the worker that is still at this, unless it is slow and does not hang.

        A step may take minutes on a CPU, whose worker is watched all the while; a download ends by
        itself; and while a model is read, the worker's memory is not what it was at the last look.
        """
        if given_up is not self._models.unanswered and (
            given_up is not self._job or self._job.image is not None
        ):
            return
        if self._job is not None and self._job.is_drawing:
            is_slow = self._models.is_on_cpu
        else:
            is_slow = self._models.is_downloading or self._worker.memory_pages != memory
        if is_slow:
            self._expect_end(given_up)
        else:
            self._worker.replace(deaf(seconds))

    def adjust(self, request: Adjust) -> None:
        """Change the guidance of a job, from its next step on if it runs, or raise `SdtuiError`."""
        job = self._at_hand(request.job_id)
        self._queue.adjust(job, request.guidance_scale)
        if job is self._job:
            self._worker.send(request)

    def load_model(self, request: LoadModel) -> None:
        """Bring a model into memory ahead of its use, or raise `SdtuiError`."""
        self._require_future()
        if self.has_jobs:
            raise EngineError(
                "The model is loaded when a picture is made with it",
                "Jobs run or wait, and bring their own models.",
            )
        if load := self._models.unanswered:
            self._expect_end(load)
        self._models.wanted = request
        self._trouble = None
        self._proceed()

    def grant_preview(self, *, latents: bool) -> None:
        """Let the worker make one preview; a second grant before it does so can only add x_t."""
        grant = GrantPreview(latents=latents)
        if self._worker.state == "ready" and self._granted not in (grant, _WITH_LATENTS):
            self._granted = grant
            self._worker.send(grant)

    def reopen_log(self) -> None:
        """Let the running worker go on in the new log; the next one inherits it."""
        self._worker.send(ReopenLog())

    def _at_hand(self, job_id: str) -> Job:
        """The job of this id that runs or waits; `ParameterError` if there is none."""
        running = self._job if self._job is not None and self._job.id == job_id else None
        job = running or self._queue.find(job_id)
        if job is None:
            raise ParameterError("job_id", "no job that runs or waits has it", LOOK)
        return job

    def _require_future(self) -> None:
        if self._stopping:
            raise EngineError("The engine is stopping", "", "Try again in a moment.")

    def _accept(self, jobs: Sequence[Job]) -> None:
        """Tell of jobs that wait behind all others now, and bring their own models."""
        before = len(self._queue) - len(jobs) + (self._job is not None)
        for position, job in enumerate(jobs, before):
            self._emit(job.queued(position), job)
        self._models.wanted = self._trouble = None
        self._proceed()

    async def stop(self) -> None:
        """End the worker; the next engine goes on with what is not yet saved."""
        self._stopping = True
        self._tell_status()
        await self._saver.stop()
        if self._job is not None and self._job.cancelled:
            self._finish(self._job, self._job.cancellation())
        elif self._job is not None:
            self._queue.interrupt(self._job)
            self._job = None
        with suppress(HistoryUnwritableError):
            # The last look at a disk that has refused them, which has been logged.
            self._queue.write_ends()
        await self._worker.stop()

    # What clients are shown ---------------------------------------------------------------------

    @property
    def queue(self) -> QueueChanged:
        """What runs, what waits, and what can be queued again."""
        return self._listing.now()

    @property
    def has_jobs(self) -> bool:
        """Whether a job runs, or waits and is not held back."""
        return bool(self._job or (self._queue and not self._queue.paused))

    @property
    def has_work(self) -> bool:
        """Whether anything runs, loads, or waits and is not held back, and a worker can do it."""
        if self._trouble is not None:
            return False
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
        for position, job in enumerate(self._queue, self._job is not None):
            # Others came or left before it, or it has moved.
            job.wait_at(position)
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
        return engine_status(
            stopping=self._stopping,
            worker_state=self._worker.state,
            models=self._models,
            job=self._job,
            queued=len(self._queue),
            trouble=self._trouble,
            paused=self._queue.paused,
            waits_for_disk=self.waits_for_disk,
        )

    # The queue meets the worker -----------------------------------------------------------------

    def restore(self) -> None:
        """Take up what a former engine left, or raise `SdtuiError` when it cannot be read."""
        for job, event in self._queue.restore():
            self._emit(event, job)
            self._last = job

    def start(self) -> None:
        """Start the worker that may soon be needed."""
        self._worker.start()
        self._tell_status()

    def _proceed(self) -> None:
        """Give an idle worker the next thing to do."""
        if self.has_work:
            self._worker.start()
        if self._job is None and not self._stopping:
            try:
                self._go_on()
            except HistoryHeldUpError:
                self._wait_for_disk()
            except HistoryUnwritableError as error:
                self._hold_back(error)
        self._rest_later()
        self._tell_status()

    def _go_on(self) -> None:
        """Nothing begins before it is written down how the last job ended."""
        self._queue.write_ends()
        if self._worker.state == "ready" and self._trouble is None:
            if self._queue and not self._queue.paused:
                self._run_next()
            elif request := self._models.ask():
                self._worker.send(request)
        self.waits_for_disk = False

    def _run_next(self) -> None:
        if self._models.serves(self._queue.next):
            # Its model is on the way; until then the job waits where it can be cancelled at once.
            return
        job = self._job = self._queue.take()
        self._worker.send(
            RunJob(
                job_id=job.id,
                params=job.params,
                device=job.device,
                dtype=job.dtype,
                guidance_scale=job.guidance_scale,
            )
        )

    def _wait_for_disk(self) -> None:
        if not self.waits_for_disk:
            log.exception("the queue waits for its disk")
        if self._retry is not None:
            self._retry.cancel()
        loop = asyncio.get_running_loop()
        self._retry = loop.call_later(self._patience.disk_look, self._proceed)
        self.waits_for_disk = True

    def _hold_back(self, error: HistoryUnwritableError) -> None:
        """Nothing that cannot be written down begins, until someone asks for it again."""
        log.exception("the history takes no changes")
        # What is said last is what is seen, so it says where a picture is that was just made.
        kept = [end.message for _, end in self._queue.unwritten if is_kept(end)]
        self._trouble = Trouble(
            title=error.title,
            message=kept[-1] if kept else error.message,
            remedy=f"{error.remedy} Jobs wait; the next one that you ask for tries again.",
        )
        self.waits_for_disk = False

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
            self._granted = None
        self._emit(event, job)
        if isinstance(event, ImageDecoded):
            self._saver.begin(job, event)

    def _delay(self, job: Job, event: SavingDelayed) -> None:
        self.waits_for_disk = True
        self._emit(event, job)
        self._tell_status()

    def _finish(self, job: Job, event: JobSaved | JobCancelled | JobFailed) -> None:
        self._queue.end(job, event)
        self._emit(event, job)
        self._last, self._job = job, None
        self._models.job_ended()
        self.waits_for_disk = False
        self._proceed()

    # The worker's life --------------------------------------------------------------------------

    def _rest_later(self) -> None:
        """Let the worker go when it has had nothing to do for a while."""
        has_nothing_to_do = self._worker.state == "ready" and not self.has_work
        # To look again at a full disk is nothing that it does.
        goes_on_resting = has_nothing_to_do and self.waits_for_disk
        if self._rest is not None and not goes_on_resting:
            self._rest.cancel()
            self._rest = None
        if self._rest is None and has_nothing_to_do:
            loop = asyncio.get_running_loop()
            self._rest = loop.call_later(self._patience.idle_unload, self._let_worker_go)

    def _let_worker_go(self) -> None:
        """Free the device, and all the memory that an idle process cannot give back."""
        self._rest = None
        log.info("the worker had nothing to do, and ends")
        self._worker.dismiss()
        self._models.worker_ended()
        self._granted = None
        self._tell_status()

    def _worker_ended(self, cause: ExitCause) -> None:
        log.error("%s", cause.message)
        self._granted = None
        if model := self._models.worker_ended():
            self._emit(ModelFailed(model=model, title="Loading stopped", **cause._asdict()))
        self._interrupt_job(cause)
        self._rest_later()
        self._tell_status()

    def _interrupt_job(self, cause: ExitCause) -> None:
        """The running job, if the worker still owed its picture, waits again or is parked."""
        job = self._job
        if job is None or job.image is not None:
            return
        if job.cancelled:
            self._finish(job, job.cancellation())
        elif job.attempts >= MAX_ATTEMPTS:
            title = f"The worker died {job.attempts} times on this job"
            self._finish(job, job.parked(title, *cause))
        else:
            job.start_over()
            self._queue.put_back(job)
            self._job = None
            self._emit(job.interrupted(*cause), job)

    def _give_up(self, cause: ExitCause) -> None:
        """There will be no worker until someone asks for one; the jobs wait for that."""
        trouble = self._trouble = Trouble(
            title="The worker cannot be started",
            message=cause.message,
            remedy="`sdtui engine logs` shows why; `sdtui doctor` checks the installation. Jobs"
            " wait; the next one that you ask for tries again.",
        )
        self._interrupt_job(cause)
        if request := self._models.wanted:
            self._emit(ModelFailed(model=request.model, **msgspec.structs.asdict(trouble)))
        self._models = ModelLoading()
        self._tell_status()
