"""Start the engine, or find the one that runs: one engine for each `paths.runtime_dir()`."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time

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
        engine, log_size = start_engine()
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            return await attach()
        except EngineNotRunningError:
            # An exit code of 0 says that another engine was faster; that one will answer.
            if engine.poll():
                raise _last_words(log_size) from None
            if time.monotonic() > deadline:
                raise EngineError(
                    "The engine does not answer",
                    f"None has answered at {paths.socket_path()} for {_START_SECONDS:.0f} s.",
                    f"Try again; its log is {log_path()}.",
                ) from None
            await asyncio.sleep(0.02)


def start_engine() -> tuple[subprocess.Popen[bytes], int]:
    """Start an engine that outlives this process and its terminal; it is not waited for.

    Its process, and how long the log was before it could say anything. Raises `EngineError` when
    it can have no log.
    """
    log = open_log()
    try:
        size = os.fstat(log).st_size
        engine = subprocess.Popen(
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
    return engine, size


def _last_words(log_size: int) -> EngineError:
    """The error by which an engine explains its end, or the last line of whatever it left.

    The log was `log_size` bytes long before; what others have said there is no reason.
    """
    path = log_path()
    with path.open("rb") as log:
        log.seek(log_size)
        lines = log.read().decode(errors="replace").splitlines()
    if not lines:
        return _without_a_word()
    try:
        refusal = msgspec.json.decode(lines[-1], type=RequestRefused)
    except msgspec.DecodeError:
        return _not_started(
            lines[-1], f"Its log is {path}; `sdtui doctor` checks the installation."
        )
    return EngineError(refusal.title, refusal.message, refusal.remedy)


def _without_a_word() -> EngineError:
    """An engine that could say nothing may have found no room to say it: that is tried."""
    path = log_path()
    try:
        with path.open("a") as log:
            log.write("an engine ended without a word\n")
            log.flush()
            os.fsync(log.fileno())
    except OSError as error:
        return _not_started(f"{path}: {error.strerror}.", "Make room there, then try again.")
    return _not_started("It ended without a word.", "`sdtui doctor` checks the installation.")


def _not_started(message: str, remedy: str) -> EngineError:
    return EngineError("The engine could not be started", message, remedy)
