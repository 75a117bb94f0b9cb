"""Start the engine, or find the one that runs: one engine for each `paths.runtime_dir()`."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from sdtui import paths
from sdtui.engine.log_file import log_path, open_log
from sdtui.errors import EngineError
from sdtui.protocol.events import RequestRefused

ENGINE_COMMAND = (sys.executable, "-P", "-m", "sdtui.engine.supervisor")

_START_SECONDS = 20.0

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class EngineNotRunningError(EngineError):
    """No engine answers, and none was to be started."""

    def __init__(self) -> None:
        super().__init__("No engine runs", f"Nothing answers at {paths.socket_path()}.")


async def attach() -> Connection:
    """A connection to the running engine, or `EngineNotRunningError`."""
    try:
        return await asyncio.open_unix_connection(paths.socket_path())
    except (FileNotFoundError, ConnectionRefusedError):
        raise EngineNotRunningError from None


async def attach_or_start() -> Connection:
    """A connection to the engine, which is started first if none answers.

    Raises `EngineError` when the engine cannot be started, with what it said about that.
    """
    try:
        return await attach()
    except EngineNotRunningError:
        engine = start_engine()
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            return await attach()
        except EngineNotRunningError:
            # An exit code of 0 says that another engine was faster; that one will answer.
            if engine.poll() or time.monotonic() > deadline:
                raise _last_words(log_path()) from None
            await asyncio.sleep(0.02)


def start_engine() -> subprocess.Popen[bytes]:
    """Start an engine that outlives this process and its terminal; it is not waited for.

    Raises `EngineError` when it can have no log.
    """
    log = open_log()
    try:
        return subprocess.Popen(
            ENGINE_COMMAND,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=paths.environment_from_anywhere(),
            start_new_session=True,
        )
    finally:
        os.close(log)


def _last_words(path: Path) -> EngineError:
    """The error by which an engine explains its end, or the last line of whatever it left."""
    if not shutil.disk_usage(path.parent).free:
        # Whatever it had to say has found no room there.
        return EngineError(
            "The engine could not be started",
            f"The disk of {path.parent} is full.",
            "Make room there, then try again.",
        )
    lines = path.read_text(errors="replace").splitlines()[-1:]
    last = lines[0] if lines else "It ended without a word."
    try:
        refusal = msgspec.json.decode(last, type=RequestRefused)
    except msgspec.DecodeError:
        return EngineError(
            "The engine could not be started",
            last,
            f"Its log is {path}; `sdtui doctor` checks the installation.",
        )
    return EngineError(refusal.title, refusal.message, refusal.remedy)
