"""Where the worker works: the model that stays in memory, and one request after another."""

from __future__ import annotations

import logging
import os
from typing import BinaryIO

import msgspec
import torch

from sdtui.diffusion.components import ComponentStart, LoadedComponents, LoadingProgress, load
from sdtui.diffusion.devices import choose_device, choose_dtype
from sdtui.diffusion.memory import free_memory
from sdtui.diffusion.preview import PreviewDecoder
from sdtui.engine.cores import CoreWatch
from sdtui.engine.exit_causes import DEVICE_FAILED
from sdtui.engine.inbox import Inbox, JobControl
from sdtui.engine.narration import failure, loading_progressed, model_loaded, run_job
from sdtui.engine.outbox import Outbox
from sdtui.errors import GenerationError, SdtuiError
from sdtui.models.weights import WeightsHash
from sdtui.protocol.events import (
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
        """Work until the process is ended."""
        self._outbox.send(WorkerReady(torch_version=str(torch.__version__)))
        while True:
            request, control = self._inbox.take()
            if isinstance(request, RunJob):
                self._draw(request, control)
            else:
                self._preload(request, control)

    def _preload(self, request: LoadModel, control: JobControl) -> None:
        before = self._components
        try:
            components = self._components_for(request.model, request.device, request.dtype, control)
        except LoadingStopped:
            end = ModelFailed(model=request.model, title="Another model was asked for")
        except Exception as error:
            title, message, remedy = _explain(error)
            end = ModelFailed(model=request.model, title=title, message=message, remedy=remedy)
        else:
            if components is before:
                self._outbox.send(model_loaded(components))
            return
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

    def _components_for(
        self, model: str, device: str, dtype: str, control: JobControl
    ) -> LoadedComponents:
        """The model on its device; read again if it or one of its files is not the last one."""
        torch_device = choose_device(device)
        torch_dtype = choose_dtype(dtype, torch_device)
        if (
            (at_hand := self._components) is not None
            and (at_hand.model, at_hand.device, at_hand.dtype) == (model, torch_device, torch_dtype)
            and at_hand.is_current
        ):
            return at_hand
        del at_hand

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

    A device that is in an unknown state takes the process with it: a new one starts clean.
    """
    if isinstance(error, torch.AcceleratorError):
        log.error("the device failed", exc_info=error)
        # Tidying up would ask the device for its memory, and may never end.
        logging.shutdown()
        os._exit(DEVICE_FAILED)
    if not isinstance(error, SdtuiError):
        log.error("a request failed", exc_info=error)
    return failure(error)
