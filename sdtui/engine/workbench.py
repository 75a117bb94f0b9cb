"""Where the worker works: the model that stays in memory, and one request after another."""

from __future__ import annotations

import logging
import os
from typing import BinaryIO

import msgspec
import torch

from sdtui.diffusion.components import ComponentStart, LoadedComponents, LoadingProgress, load
from sdtui.diffusion.devices import choose_device, choose_dtype, first_line, has_failed
from sdtui.diffusion.memory import free_memory
from sdtui.diffusion.preview import PreviewDecoder
from sdtui.diffusion.redaction import redact
from sdtui.engine.cores import CoreWatch
from sdtui.engine.exit_causes import DEVICE_FAILED
from sdtui.engine.inbox import Inbox, JobControl
from sdtui.engine.narration import failure, loading_progressed, model_loaded, run_job
from sdtui.engine.outbox import Outbox
from sdtui.errors import GenerationError, SdtuiError
from sdtui.models.weights import WeightsHash
from sdtui.protocol.events import (
    DeviceFailed,
    ImageDecoded,
    JobCancelled,
    JobEvent,
    JobFailed,
    JobStarted,
    ModelFailed,
    StepCompleted,
    WorkerReady,
)
from sdtui.protocol.requests import LoadModel, RunJob

log = logging.getLogger(__name__)


class LoadingStopped(Exception):
    """Loading is not wanted any more."""


class Workbench:
    """Does what the inbox holds and writes events to `pipe`."""

    def __init__(self, inbox: Inbox, pipe: BinaryIO) -> None:
        self._inbox = inbox
        self._outbox = Outbox(pipe)
        self._cores = CoreWatch()
        self._components: LoadedComponents | None = None
        self._previews: PreviewDecoder | None = None
        self._hash: WeightsHash | None = None

    def run(self) -> None:
        """Work until the process is ended, or leave it with a device that failed."""
        self._outbox.send(WorkerReady(torch_version=str(torch.__version__)))
        while True:
            request, control = self._inbox.take()
            try:
                if isinstance(request, RunJob):
                    self._draw(request, control)
                else:
                    self._preload(request, control)
            except Exception as error:
                if not has_failed(error):
                    raise
                self._leave(error)

    def _preload(self, request: LoadModel, control: JobControl) -> None:
        wanted = request.model, request.device, request.dtype
        try:
            if (at_hand := self._at_hand(*wanted)) is None:
                self._read(*wanted, control)
            else:
                self._outbox.send(model_loaded(at_hand))
            return
        except LoadingStopped:
            end = ModelFailed(model=request.model, title="Another model was asked for")
        except Exception as error:
            title, message, remedy = _explain(error)
            end = ModelFailed(model=request.model, title=title, message=message, remedy=remedy)
        self._fail(end)

    def _draw(self, job: RunJob, control: JobControl) -> None:
        self._outbox.send(JobStarted(job_id=job.job_id, params=job.params))
        end: JobCancelled | JobFailed
        try:
            components = self._components_for(job.params.model, job.device, job.dtype, control)
            is_on_cpu = components.device.type == "cpu"
            self._cores.begin()
            for event in run_job(components, job.params, job.job_id, control, self._previews):
                if isinstance(event, ImageDecoded) and self._hash is not None:
                    event = msgspec.structs.replace(event, unet_sha256=self._hash.sha256)
                if is_on_cpu and isinstance(event, StepCompleted):
                    self._cores.look()
                if is_on_cpu and _is_between_others(event):
                    self._outbox.send_soon(event)
                else:
                    self._outbox.send(event)
            return
        except LoadingStopped:
            end = JobCancelled(job_id=job.job_id, completed=0, count=0)
        except Exception as error:
            title, message, remedy = _explain(error)
            exit_code = (error if isinstance(error, SdtuiError) else GenerationError).exit_code
            end = JobFailed(
                job_id=job.job_id,
                title=title,
                message=message,
                remedy=remedy,
                exit_code=exit_code,
            )
        self._fail(end)

    def _fail(self, end: ModelFailed | JobCancelled | JobFailed) -> None:
        """End a request that came to nothing, whose error is forgotten by now.

        What it held is free before the next request comes, which may need just that.
        """
        free_memory()
        self._outbox.send(end)

    def _leave(self, error: Exception) -> None:
        """End the process, as its device is in an unknown state: a new one starts clean."""
        log.error("the device failed", exc_info=error)
        try:
            self._outbox.send(DeviceFailed(message=redact(first_line(error))))
            logging.shutdown()
        finally:
            # Tidying up would ask the device for its memory, and may never end.
            os._exit(DEVICE_FAILED)

    def _components_for(
        self, model: str, device: str, dtype: str, control: JobControl
    ) -> LoadedComponents:
        """The model on its device; read again if it or one of its files is not the last one."""
        wanted = model, device, dtype
        return self._at_hand(*wanted) or self._read(*wanted, control)

    def _at_hand(self, model: str, device: str, dtype: str) -> LoadedComponents | None:
        """The model in memory if it is this one, read from the files that are there now."""
        torch_device = choose_device(device)
        wanted = (model, torch_device, choose_dtype(dtype, torch_device))
        last = self._components
        if last is None or (last.model, last.device, last.dtype) != wanted:
            return None
        return last if last.is_current else None

    def _read(self, model: str, device: str, dtype: str, control: JobControl) -> LoadedComponents:
        """Load the model. Nobody may refer to the last one, which makes room for it."""

        def report(progress: LoadingProgress) -> None:
            if control.cancelled:
                raise LoadingStopped
            if isinstance(progress, ComponentStart) and self._components is not None:
                # Two models at once may be more than the device holds.
                self._components = self._previews = None
                free_memory()
            self._outbox.send(loading_progressed(model, progress))

        components = load(model, device, dtype, report)
        self._previews = PreviewDecoder(components.vae)
        self._components = components
        self._hash = WeightsHash(components.unet_file)
        self._outbox.send(model_loaded(components))
        return components


def _is_between_others(event: JobEvent) -> bool:
    """Whether this is a step that nobody waits for.

    The first one says that the loop runs; after the last one, the picture may take long to decode.
    """
    return isinstance(event, StepCompleted) and 0 < event.step_index < event.count - 1


def _explain(error: Exception) -> tuple[str, str, str]:
    """Title, message and remedy of what stopped a request; the log gets the rest.

    The error of a device that failed stops more than the request, and is raised again.
    """
    if has_failed(error):
        raise error
    if not isinstance(error, SdtuiError):
        log.error("a request failed", exc_info=error)
    return failure(error)
