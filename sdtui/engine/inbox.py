"""What is asked of the worker, read beside the loop so that it counts between two steps."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from sdtui.engine import log_file
from sdtui.protocol.codec import Decoder
from sdtui.protocol.requests import (
    Adjust,
    Cancel,
    GrantPreview,
    LoadModel,
    ReopenLog,
    RunJob,
    Shutdown,
    WorkerRequest,
)

log = logging.getLogger(__name__)


class PreviewCredit:
    """Whether somebody can show another frame, and x_t beside it. Threads share it."""

    def __init__(self) -> None:
        self._granted = threading.Event()
        self._with_latents = threading.Event()

    def grant(self, *, latents: bool = False) -> None:
        """Allow one preview; a second grant before it is made can only add x_t to it."""
        if latents:
            self._with_latents.set()
        self._granted.set()

    def take(self) -> bool:
        """Use the credit up; false if there was none."""
        granted = self._granted.is_set()
        self._granted.clear()
        return granted

    @property
    def wants_latents(self) -> bool:
        """Whether x_t is wanted beside the next preview."""
        return self._with_latents.is_set()

    def take_latents(self) -> bool:
        """Whether x_t is wanted beside the preview for which the credit was taken; told once."""
        wanted = self._with_latents.is_set()
        self._with_latents.clear()
        return wanted


@dataclass
class JobControl:
    """What may be asked of a job while it runs. Another thread sets it; the loop looks."""

    credit: PreviewCredit = field(default_factory=PreviewCredit)
    cancelled: bool = False
    guidance_scale: float | None = None

    def take_guidance_scale(self) -> float | None:
        """The guidance scale to go on with, told once; None where it stays as it is."""
        guidance_scale, self.guidance_scale = self.guidance_scale, None
        return guidance_scale


class Inbox:
    """The requests of one pipe: work in order, and what changes the work at once.

    `on_end` is called when the pipe ends, from the thread that reads it.
    """

    def __init__(self, pipe: BinaryIO, on_end: Callable[[], None]) -> None:
        self._pipe = pipe
        self._on_end = on_end
        self._credit = PreviewCredit()
        self._work: queue.SimpleQueue[tuple[LoadModel | RunJob, JobControl]] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="inbox", daemon=True).start()

    def take(self) -> tuple[LoadModel | RunJob, JobControl]:
        """The next thing to do, with what is asked of it meanwhile; waits for it."""
        return self._work.get()

    def _read(self) -> None:
        try:
            self._sort_requests()
        finally:
            self._on_end()

    def _sort_requests(self) -> None:
        decoder: Decoder[WorkerRequest] = Decoder(WorkerRequest)
        # The supervisor sends the next job when the last one has ended, so one control is enough.
        newest: LoadModel | RunJob | None = None
        control = JobControl(self._credit)
        while (request := decoder.read_blocking(self._pipe)) is not None:
            match request:
                case RunJob() | LoadModel():
                    if isinstance(newest, LoadModel):
                        # Loading a model ahead of its use gives way to what is asked for now.
                        control.cancelled = not _wants(request, newest)
                    newest, control = request, JobControl(self._credit)
                    if isinstance(request, RunJob):
                        control.guidance_scale = request.guidance_scale
                    self._work.put((request, control))
                case Cancel() if isinstance(newest, RunJob) and newest.job_id == request.job_id:
                    control.cancelled = True
                case Adjust() if isinstance(newest, RunJob) and newest.job_id == request.job_id:
                    control.guidance_scale = request.guidance_scale
                case GrantPreview():
                    self._credit.grant(latents=request.latents)
                case ReopenLog():
                    _reopen_log()
                case Shutdown():
                    return


def _reopen_log() -> None:
    try:
        log_file.reopen()
    except OSError:
        log.exception("the new log cannot be opened; the worker goes on in the one put aside")


def _wants(request: LoadModel | RunJob, loading: LoadModel) -> bool:
    """Whether `request` needs the very model that is being loaded."""
    model = request.params.model if isinstance(request, RunJob) else request.model
    return (model, request.device, request.dtype) == (loading.model, loading.device, loading.dtype)
