"""`sdtui engine`: how it is, its end, and its last words."""

from __future__ import annotations

import asyncio
import collections
from typing import Annotated

import typer

from sdtui.commands.output import note
from sdtui.protocol.events import EngineStatus
from sdtui.text import clean

app = typer.Typer(help="The engine, which draws in the background: status, stop, logs.")


@app.command()
def status() -> None:
    """Say what the engine does. It ends by itself when it has had nothing to do for a while."""
    from sdtui.engine.client import EngineClient

    async def ask() -> EngineStatus:
        client = await EngineClient.connect(start=False)
        await client.close()
        return client.status

    for line in describe(asyncio.run(ask())):
        print(line)


def describe(status: EngineStatus) -> list[str]:
    """An engine's status in lines of a name and a value."""
    pairs = {
        "state": status.state,
        "model": status.model or "none loaded",
        "device": f"{status.device} {status.dtype}".strip() or "none yet",
        "waiting jobs": f"{status.queued}, paused" if status.paused else str(status.queued),
        "process": str(status.pid),
        "version": status.version,
    }
    if status.trouble is not None:
        trouble = status.trouble
        pairs["trouble"] = f"{trouble.title}. {trouble.message} {trouble.remedy}"
    return [f"{name:<14}{clean(value)}" for name, value in pairs.items()]


@app.command()
def stop(
    force: Annotated[
        bool,
        typer.Option("--force", help="Also while jobs run or wait; they go on at its next start."),
    ] = False,
) -> None:
    """End the engine and free its memory."""
    from sdtui.engine.client import stop_engine

    stopped = asyncio.run(stop_engine(force=force))
    note("The engine has ended." if stopped else "No engine runs.")


@app.command()
def logs(
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many.")] = 50,
) -> None:
    """Print the end of the engine's log."""
    from sdtui.engine import log_file

    if not log_file.log_path().exists():
        note(f"There is no log yet at {log_file.log_path()}.")
        return
    for line in collections.deque(log_file.lines(), maxlen=lines):
        print(clean(line.rstrip("\n")))
