"""A batch of jobs through the engine, from its submission to the files."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from sdtui.commands.delivery import deliver
from sdtui.commands.output import note, print_error, raise_last
from sdtui.engine.client import EngineClient
from sdtui.engine.visible_devices import difference
from sdtui.errors import EngineError, GenerationError, ParameterError
from sdtui.params import GenerationParams
from sdtui.protocol.events import (
    FINAL_EVENTS,
    EngineStatus,
    Event,
    JobCancelled,
    JobEvent,
    JobFailed,
    JobSaved,
    QueueChanged,
    Trouble,
)


def draw(
    params: GenerationParams,
    outputs: Sequence[Path | None],
    device: str,
    dtype: str,
    show: Callable[[Event], None],
    take: Callable[[Path], None],
    *,
    force: bool,
) -> None:
    """Have the engine draw a picture for each of `outputs`, with seeds that follow one another.

    `show` is called with every event of the jobs, and `take` with the path of each picture when it
    is there. The engine keeps the pictures in its dated folder; an output gets a copy. Ctrl+C and
    SIGTERM cancel the jobs; a second one does not wait for them to end, and says what the engine
    may still have. A job that fails does not keep the others from being drawn, and raises
    `GenerationError` when they have ended. `EngineError` says that the engine ended first, which
    keeps the jobs for its next start.
    """
    batch = _Batch(show, take, force)
    try:
        asyncio.run(_draw(params, outputs, device, dtype, batch))
    except (asyncio.CancelledError, KeyboardInterrupt) as interruption:
        batch.tell_what_is_left()
        if isinstance(interruption, KeyboardInterrupt):
            raise
        raise SystemExit(128 + signal.SIGTERM) from None
    except EngineError:
        for error in batch.errors:
            print_error(error)
        raise
    raise_last(batch.errors, len(outputs))


async def _draw(
    params: GenerationParams,
    outputs: Sequence[Path | None],
    device: str,
    dtype: str,
    batch: _Batch,
) -> None:
    # asyncio.run already turns Ctrl+C into the cancellation of this task.
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    client = await EngineClient.connect()
    try:
        submission = asyncio.create_task(
            client.submit_batch(params, len(outputs), device=device, dtype=dtype)
        )
        batch.is_unanswered = True
        try:
            batch.wait_for(await asyncio.shield(submission), outputs)
            if others := difference(client.status.visible_devices):
                note(f"the engine was started with {others}: to change that, `sdtui engine stop`")
            if client.status.paused:
                note("the queue is paused: `sdtui queue resume` lets it go on")
            await batch.follow(client)
        except asyncio.CancelledError:
            if batch.is_unanswered:
                # What was asked for may be accepted all the same, and nobody would know of it.
                batch.wait_for(await submission, outputs)
            await _cancel(client, list(batch.pending))
            await batch.follow(client)
            raise
    finally:
        await client.close()


async def _cancel(client: EngineClient, job_ids: Sequence[str]) -> None:
    """Stop jobs, of which some may just have ended."""
    # From behind, so that none of them begins because the one before it has ended.
    for job_id in reversed(job_ids):
        with contextlib.suppress(ParameterError):
            await client.cancel(job_id)


@dataclass
class _Batch:
    """The jobs of one command that are `pending`, and what became of the others.

    `is_unanswered` says that the engine was asked for them and has not yet said whether it has
    them, `is_accepted` that it has told of them.
    """

    show: Callable[[Event], None]
    take: Callable[[Path], None]
    force: bool
    pending: dict[str, Path | None] = field(default_factory=dict)
    is_unanswered: bool = False
    is_accepted: bool = False
    errors: list[GenerationError] = field(default_factory=list)

    def wait_for(self, job_ids: Sequence[str], outputs: Sequence[Path | None]) -> None:
        """The engine has these jobs, in the order of their outputs."""
        self.pending = dict(zip(job_ids, outputs, strict=True))
        self.is_unanswered = False

    async def follow(self, client: EngineClient) -> None:
        """Show what happens until no job is pending.

        Raises `EngineError` when the engine cannot run them now, or is lost.
        """
        events = client.events()
        while self.pending:
            event = await anext(events, None)
            if event is None:
                raise self._loss(stopped=client.status.state == "stopping")
            # Trouble from before these jobs is past: the engine tries again for them.
            if self.is_accepted and isinstance(event, EngineStatus) and event.trouble is not None:
                raise self._trouble(event.trouble)
            if isinstance(event, QueueChanged):
                continue
            if isinstance(event, JobEvent) and event.job_id not in self.pending:
                continue
            self.is_accepted = self.is_accepted or isinstance(event, JobEvent)
            if isinstance(event, FINAL_EVENTS):
                self._end(event)
            else:
                self.show(event)

    def _end(self, end: JobSaved | JobCancelled | JobFailed) -> None:
        output = self.pending.pop(end.job_id)
        if not isinstance(end, JobSaved):
            self.show(end)
            self.errors.append(_error(end))
            return
        if output:
            try:
                deliver(Path(end.path), output, force=self.force)
            except GenerationError as error:
                self.errors.append(error)
                return
            end = msgspec.structs.replace(end, path=str(output))
        self.show(end)
        self.take(Path(end.path))

    def _trouble(self, trouble: Trouble) -> EngineError:
        message = f"{trouble.message} {self._jobs('waits', 'wait')}."
        return EngineError(trouble.title, message, trouble.remedy)

    def _loss(self, *, stopped: bool) -> EngineError:
        kept = self._jobs("is kept, and goes on", "are kept, and go on")
        remedy = "`sdtui` starts it, and so does `sdtui generate`"
        return EngineError(
            "The engine was stopped" if stopped else "The engine was lost",
            f"{kept} when the engine starts again.",
            f"{remedy}." if stopped else f"{remedy}; `sdtui engine logs` may say why.",
        )

    def tell_what_is_left(self) -> None:
        """Say which jobs the engine may go on with, if there are any."""
        if self.is_unanswered:
            note("the engine has not answered yet: `sdtui queue` shows whether it took the jobs")
        elif self.pending:
            job_id = next(iter(self.pending)) if len(self.pending) == 1 else "ID"
            note(
                f"{self._jobs('may still run or wait', 'may still run or wait')} in the engine:"
                f" `sdtui queue` lists what it has, `sdtui queue cancel {job_id}` stops a job"
            )

    def _jobs(self, does: str, do: str) -> str:
        """The pending jobs as the subject of a sentence."""
        job_ids = list(self.pending)
        return f"Job {job_ids[0]} {does}" if len(job_ids) == 1 else f"{len(job_ids)} jobs {do}"


def _error(end: JobCancelled | JobFailed) -> GenerationError:
    if isinstance(end, JobCancelled):
        return GenerationError(
            "The job was cancelled", f"Someone stopped it after {end.completed} steps."
        )
    error = GenerationError(end.title, end.message, end.remedy)
    error.exit_code = end.exit_code
    return error
