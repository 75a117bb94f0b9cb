"""One job through the engine, from its submission to its file."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import msgspec

from sdtui.commands.delivery import deliver
from sdtui.engine.client import EngineClient
from sdtui.errors import EngineError, GenerationError
from sdtui.params import GenerationParams
from sdtui.protocol.events import (
    FINAL_EVENTS,
    EngineStatus,
    Event,
    JobCancelled,
    JobEvent,
    JobFailed,
    JobSaved,
)

_End = JobSaved | JobCancelled | JobFailed


def draw(
    params: GenerationParams,
    device: str,
    dtype: str,
    show: Callable[[Event], None],
    output: Path | None,
    *,
    force: bool,
) -> Path:
    """Have the engine draw, `show` every event of the job, and return the picture's path.

    The engine keeps the picture in its dated folder; `output` gets a copy. Ctrl+C and SIGTERM
    cancel the job; a second Ctrl+C does not wait for it to end. Raises `GenerationError` when the
    job fails and `EngineError` when the engine ends first, which keeps the job for its next start.
    """
    try:
        end = asyncio.run(_draw(params, device, dtype, show))
    except asyncio.CancelledError:
        raise SystemExit(128 + signal.SIGTERM) from None
    if isinstance(end, JobSaved) and output:
        deliver(Path(end.path), output, force=force)
        end = msgspec.structs.replace(end, path=str(output))
    show(end)
    return _picture(end)


async def _draw(
    params: GenerationParams, device: str, dtype: str, show: Callable[[Event], None]
) -> _End:
    # asyncio.run already turns Ctrl+C into the cancellation of this task.
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    client = await EngineClient.connect()
    try:
        job_id = await client.submit(params, device=device, dtype=dtype)
        try:
            return await _watch(client, job_id, show)
        except asyncio.CancelledError:
            await client.cancel(job_id)
            show(await _watch(client, job_id, show))
            raise
    finally:
        await client.close()


async def _watch(client: EngineClient, job_id: str, show: Callable[[Event], None]) -> _End:
    """Show what happens until the job ends, and return how it did.

    Raises `EngineError` when no worker can be started for it.
    """
    accepted = False
    async for event in client.events():
        accepted = accepted or (isinstance(event, JobEvent) and event.job_id == job_id)
        if accepted and isinstance(event, EngineStatus) and (trouble := event.trouble):
            message = f"{trouble.message} Job {job_id} waits."
            raise EngineError(trouble.title, message, trouble.remedy)
        if isinstance(event, JobEvent) and event.job_id != job_id:
            continue
        if isinstance(event, FINAL_EVENTS):
            return event
        show(event)
    stopped = client.status.state == "stopping"
    raise EngineError(
        "The engine was stopped" if stopped else "The engine was lost",
        f"Job {job_id} is kept, and goes on when the engine starts again.",
        "`sdtui` starts it, and so does `sdtui generate`."
        if stopped
        else "`sdtui` starts it, and so does `sdtui generate`; `sdtui engine logs` may say why.",
    )


def _picture(end: _End) -> Path:
    match end:
        case JobSaved():
            return Path(end.path)
        case JobCancelled():
            raise GenerationError(
                "The job was cancelled", f"Someone stopped it after {end.completed} steps."
            )
        case JobFailed():
            error = GenerationError(end.title, end.message, end.remedy)
            error.exit_code = end.exit_code
            raise error
