"""What the engine says about itself."""

from __future__ import annotations

import os

import sdtui
from sdtui.engine.job import Job
from sdtui.engine.model_loading import ModelLoading
from sdtui.engine.visible_devices import visible_devices
from sdtui.protocol.events import EngineStatus, Trouble


def engine_status(
    *,
    stopping: bool,
    worker_state: str,
    models: ModelLoading,
    job: Job | None,
    queued: int,
    trouble: Trouble | None,
    paused: bool,
    waits_for_disk: bool,
) -> EngineStatus:
    """The status of an engine with this worker, these models, and the job that runs.

    `waits_for_disk` says that the disk has refused what must be written next.
    """
    if stopping:
        state = "stopping"
    elif trouble is not None:
        state = "failing"
    elif waits_for_disk:
        state = "waiting for disk"
    elif worker_state in ("starting", "restarting"):
        state = worker_state
    elif models.record is not None:
        state = "loading"
    else:
        state = "running" if job else "idle"
    loaded = models.loaded
    return EngineStatus(
        state=state,
        version=sdtui.__version__,
        pid=os.getpid(),
        model=loaded.model if loaded else "",
        device=loaded.device if loaded else "",
        dtype=loaded.dtype if loaded else "",
        queued=queued,
        paused=paused,
        running_job_id=job.id if job else None,
        trouble=trouble,
        visible_devices=visible_devices(),
    )
