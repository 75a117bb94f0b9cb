"""The end of a job: its picture becomes a file."""

from __future__ import annotations

import asyncio
import logging
import time

import sdtui
from sdtui.engine.job import Job
from sdtui.history.images import save_image
from sdtui.protocol.events import ImageDecoded, JobFailed, JobSaved

log = logging.getLogger(__name__)


async def save(job: Job, image: ImageDecoded) -> JobSaved | JobFailed:
    """Write the picture beside the event loop, and say how that went."""
    try:
        path = await asyncio.to_thread(
            save_image,
            image.rgb,
            image.width,
            image.height,
            job.params,
            version=sdtui.__version__,
            guidance_adjustments=job.adjustments,
        )
        size = path.stat().st_size
    except Exception as error:
        # Whatever it is, the job must end and the queue go on.
        log.exception("a picture could not be saved")
        return JobFailed(
            job_id=job.id,
            title="The picture could not be saved",
            message=str(error),
            remedy="Make room there, or make the folder writable, and generate again.",
        )
    return JobSaved(job_id=job.id, path=str(path), size=size, seconds=time.time() - job.started_at)
