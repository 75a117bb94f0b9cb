"""`sdtui queue`: what runs, what waits and in which order, and how to change that."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from sdtui.commands.looking import engine_or_file
from sdtui.commands.output import EventLines, note
from sdtui.errors import EngineError, ParameterError
from sdtui.protocol.events import (
    FINAL_EVENTS,
    GOING_ON,
    EngineStatus,
    Event,
    JobCancelled,
    ListedJob,
    QueueChanged,
)
from sdtui.text import clean

if TYPE_CHECKING:
    from sdtui.engine.client import EngineClient

T = TypeVar("T")
E = TypeVar("E", bound=Event)

app = typer.Typer(
    help=(
        "List the jobs that run and wait, and what failed; or pause, resume, cancel, requeue, up,"
        " clear.\n\nThe commands start the engine if it does not run, and it goes on with what"
        " waits; the list does not."
    )
)

JobId = Annotated[
    str, typer.Argument(metavar="ID", help="As `sdtui queue` lists it; its beginning is enough.")
]
_LONGEST_PROMPT = 60
_LONGEST_ID = 40
_LOOK = "`sdtui queue` lists the jobs with their ids."


@app.callback(invoke_without_command=True)
def queue(
    context: typer.Context,
    json: Annotated[
        bool, typer.Option("--json", help="Print the queue as one line of JSON.")
    ] = False,
) -> None:
    """List the jobs: the running one, those that wait, and what can be queued again."""
    if context.invoked_subcommand is not None:
        if json:
            raise ParameterError("--json", "goes with the list alone")
        return
    listed, status = asyncio.run(_look())
    if json:
        EventLines().show(listed)
        return
    for line in _table(listed.jobs):
        print(line)
    goes_on = any(job.state in GOING_ON for job in listed.jobs)
    if not goes_on:
        note("Nothing runs or waits.")
    if listed.paused:
        note("The queue is paused.")
    elif status is None and goes_on:
        note("No engine runs: `sdtui queue resume` starts it, and it goes on with what waits.")
    if status is not None and status.state == "waiting for disk":
        note("The queue waits for room on the disk, and goes on by itself when there is some.")


@app.command()
def pause() -> None:
    """Let no waiting job begin until `resume`. The running one goes on."""
    _ask(lambda client, listed: client.pause_queue())
    note("The queue is paused; a running job goes on.")


@app.command()
def resume() -> None:
    """Let the waiting jobs go on."""
    _ask(lambda client, listed: client.resume_queue())
    note("The queue goes on.")


@app.command()
def cancel(job: JobId) -> None:
    """Stop a job that runs or waits."""

    async def stop(client: EngineClient, job_id: str) -> None:
        await client.cancel(job_id)
        end = await _next(client, FINAL_EVENTS)
        while end.job_id != job_id:
            end = await _next(client, FINAL_EVENTS)
        if not isinstance(end, JobCancelled):
            raise ParameterError("job_id", "that job ended before it could be cancelled")

    _ask_of(job, stop)
    note("The job is cancelled.")


@app.command()
def requeue(job: JobId) -> None:
    """Queue a job again that failed, was cancelled or is parked."""
    _ask_of(job, lambda client, job_id: client.requeue(job_id))
    note("The job waits again, behind all others.")


@app.command()
def clear(
    job: Annotated[
        str | None, typer.Argument(metavar="ID", help="This one alone, which may be parked.")
    ] = None,
) -> None:
    """Take what failed or was cancelled off the list. Parked jobs stay; so do pictures."""
    if job is None:
        _ask(lambda client, listed: client.clear_ended())
        note("What failed or was cancelled is off the list.")
    else:
        _ask_of(job, lambda client, job_id: client.clear_ended(job_id))
        note("The job is off the list.")


@app.command()
def up(job: JobId) -> None:
    """Let a waiting job change places with the one before it."""
    _ask_of(job, lambda client, job_id: client.move_up(job_id))
    note("The job has moved up.")


def _table(jobs: list[ListedJob]) -> Iterator[str]:
    """A line for each job, and one more for the reason why it ended."""
    waiting = 0
    for job in jobs:
        waiting += job.state == "queued"
        place = str(waiting) if job.state == "queued" else ""
        size = f"{job.width}×{job.height}"
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(job.since))
        yield (
            f"{clean(job.state):<10}{place:>4}  {clean(job.job_id)}  {since}  {size:>9}"
            f"  {job.num_inference_steps:>3} steps  seed {job.seed:<10}"
            f"  {clean(job.model)}  {clean(job.prompt, limit=_LONGEST_PROMPT)}"
        )
        if job.title:
            yield f"{'':<16}{clean(job.title)}"


async def _look() -> tuple[QueueChanged, EngineStatus | None]:
    """The queue, and how the engine is if one runs."""
    from sdtui.engine.queue_listing import queue_at_rest
    from sdtui.history.database import Database
    from sdtui.history.jobs import JobStore

    async with engine_or_file() as source:
        if isinstance(source, Database):
            return queue_at_rest(JobStore(source)), None
        return await _next(source, (QueueChanged,)), source.status


def _ask(work: Callable[[EngineClient, QueueChanged], Awaitable[T]]) -> T:
    """Do `work` with a client and the queue as it is."""
    from sdtui.engine.client import EngineClient

    async def converse() -> T:
        client = await EngineClient.connect()
        try:
            return await work(client, await _next(client, (QueueChanged,)))
        finally:
            await client.close()

    return asyncio.run(converse())


def _ask_of(job: str, work: Callable[[EngineClient, str], Awaitable[T]]) -> T:
    """Do `work` with a client and the id that `job` is the beginning of."""

    async def work_on_it(client: EngineClient, listed: QueueChanged) -> T:
        return await work(client, _full_id(job, listed))

    try:
        return _ask(work_on_it)
    except ParameterError as error:
        if error.field != "job_id":
            raise
        name = f"ID {clean(job, limit=_LONGEST_ID)}".rstrip()
        raise ParameterError(name, error.reason, error.remedy) from error


async def _next(client: EngineClient, kinds: tuple[type[E], ...]) -> E:
    """The next event of one of these kinds."""
    async for event in client.events():
        if isinstance(event, kinds):
            return event
    raise EngineError("The engine was lost", "", "`sdtui engine logs` may say why.")


def _full_id(beginning: str, listed: QueueChanged) -> str:
    """The id that begins so; what is in no list is for the engine to know."""
    if not beginning:
        raise ParameterError("job_id", "is empty", _LOOK)
    found = [job.job_id for job in listed.jobs if job.job_id.startswith(beginning)]
    if len(found) > 1:
        raise ParameterError("job_id", f"is the beginning of {len(found)} jobs", _LOOK)
    return found[0] if found else beginning
