"""The end of a job: its picture becomes a file, once."""

from __future__ import annotations

import asyncio
import errno
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeGuard

import sdtui
from sdtui.engine.job import Job
from sdtui.history.database import Database, HistoryHeldUpError, HistoryUnwritableError
from sdtui.history.gallery import EncodedPicture, Gallery, Picture
from sdtui.history.images import encode_png, new_paths, write_new
from sdtui.protocol.events import (
    ImageDecoded,
    JobCancelled,
    JobFailed,
    JobSaved,
    SavingDelayed,
)

_NOT_IN_HISTORY = "The picture is not in the history"

log = logging.getLogger(__name__)

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class PictureSaver:
    """Writes one picture at a time, beside the event loop, and says how that went.

    The history is told the name before the file has it and again afterwards, so that an engine
    which dies in between leaves enough behind to know whether the picture is there. A disk without
    room is asked again every `disk_look` seconds, until the job is cancelled: `on_delay` is told
    once, and `on_end` when the job has ended. Where the history takes nothing at all any more, the
    picture is saved beside it, and its job has failed.
    """

    def __init__(
        self,
        database: Database,
        *,
        disk_look: float,
        on_delay: Callable[[Job, SavingDelayed], None],
        on_end: Callable[[Job, JobSaved | JobCancelled | JobFailed], None],
    ) -> None:
        self._gallery = Gallery(database)
        self._disk_look = disk_look
        self._on_delay = on_delay
        self._on_end = on_end
        self._task: asyncio.Task[None] | None = None
        self._file: Path | None = None
        self._stopping = False
        self._wake = asyncio.Event()

    def begin(self, job: Job, image: ImageDecoded) -> None:
        """Save the picture of `job`. The last one has been saved, or its job ended without one."""
        self._file = None
        self._task = asyncio.create_task(self._run(job, image))

    def cancel(self) -> None:
        """Wait for room no longer, now that the job is cancelled; what has room is saved."""
        self._wake.set()

    async def stop(self) -> None:
        """Return when the picture at hand is saved, or waits for room in vain."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task

    async def _run(self, job: Job, image: ImageDecoded) -> None:
        end: JobSaved | JobCancelled | JobFailed | None
        try:
            end = await self._save(job, image)
        except Exception as error:
            # Whatever it is, the job must end and the queue go on.
            log.exception("a picture could not be saved")
            end = JobFailed(
                job_id=job.id,
                title="The picture could not be saved",
                message=str(error),
                remedy="Make the folder writable, and generate again.",
            )
        if end is not None:
            self._on_end(job, end)

    async def _save(
        self, job: Job, image: ImageDecoded
    ) -> JobSaved | JobCancelled | JobFailed | None:
        picture = await asyncio.to_thread(_encode, job, image)
        delayed = False
        while True:
            try:
                return await self._try(job, picture)
            except (OSError, HistoryHeldUpError) as error:
                if isinstance(error, OSError) and error.errno not in _NO_ROOM:
                    raise
                if not delayed:
                    log.exception("a picture waits for room on the disk")
                    self._on_delay(job, _delay(job, error))
                    delayed = True
            await self._wait(job)
            if job.cancelled:
                if self._file is not None:
                    # Only that it is there could not be written down.
                    await asyncio.to_thread(self._file.unlink, missing_ok=True)
                return job.cancellation()
            if self._stopping:
                return None

    async def _try(self, job: Job, picture: EncodedPicture) -> JobSaved | JobFailed:
        try:
            return job.saved(await self._write(job, picture))
        except HistoryHeldUpError:
            raise
        except HistoryUnwritableError as error:
            log.exception("a picture is not in the history")
            path = self._file or await self._write_beside(job, picture)
            return JobFailed(
                job_id=job.id,
                title=_NOT_IN_HISTORY,
                message=f"The picture is saved as {path}. {error.title}: {error.message}",
                remedy=error.remedy,
            )

    async def _write_beside(self, job: Job, picture: EncodedPicture) -> Path:
        """Save the picture without a word to the history."""
        names = new_paths(job.params)
        while True:
            path = await asyncio.to_thread(next, names)
            with suppress(FileExistsError):
                await asyncio.to_thread(write_new, path, picture.png)
                return path

    async def _write(self, job: Job, picture: EncodedPicture) -> Picture:
        if self._gallery.settle(job.id, time.monotonic() - job.begun_at):
            # The last try was refused when there was only its success to be written down.
            return self._saved(job)
        names = new_paths(job.params)
        while True:
            path = await asyncio.to_thread(next, names)
            if self._gallery.taken(path, job.id):
                continue
            self._gallery.announce(job.id, path, picture)
            try:
                await asyncio.to_thread(write_new, path, picture.png)
            except FileExistsError:
                continue
            self._file = path
            self._gallery.confirm(job.id, time.monotonic() - job.begun_at)
            return self._saved(job)

    def _saved(self, job: Job) -> Picture:
        saved = self._gallery.find(job.id)
        assert saved is not None
        return saved

    async def _wait(self, job: Job) -> None:
        """Return when the disk is to be asked again, or the job or the engine ends first."""
        self._wake.clear()
        if not (job.cancelled or self._stopping):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._disk_look)


def is_kept(end: JobCancelled | JobFailed) -> TypeGuard[JobFailed]:
    """Whether the job failed and its picture is saved all the same, where the message says."""
    return isinstance(end, JobFailed) and end.title == _NOT_IN_HISTORY


def _encode(job: Job, image: ImageDecoded) -> EncodedPicture:
    png = encode_png(
        image.rgb,
        image.width,
        image.height,
        job.params,
        version=sdtui.__version__,
        guidance_adjustments=job.adjustments,
        unet_sha256=image.unet_sha256,
    )
    return EncodedPicture.of(png)


def _delay(job: Job, error: OSError | HistoryHeldUpError) -> SavingDelayed:
    if isinstance(error, HistoryHeldUpError):
        title, message, remedy = error.title, error.message, error.remedy
    else:
        title, message, remedy = "There is no room for the picture", str(error), "Make room."
    return SavingDelayed(
        job_id=job.id,
        title=title,
        message=message,
        remedy=f"{remedy} The picture is kept in memory, the queue waits, and it is saved by"
        " itself.",
    )
