"""The supervisor's end of a worker: its pipes, and the truth about its death."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Sequence

from sdtui.engine.exit_causes import SPEECHLESS, ExitCause, describe_exit
from sdtui.errors import SdtuiError
from sdtui.protocol.codec import Decoder, encode
from sdtui.protocol.events import DeviceFailed, WorkerEvent
from sdtui.protocol.requests import WorkerRequest

log = logging.getLogger(__name__)

WORKER_COMMAND = (sys.executable, "-P", "-m", "sdtui.engine.worker")

_LAST_WORDS_SECONDS = 2.0
"""How long a worker's pipe may outlive its process, and its process the pipe."""

_DEATH_SECONDS = 10.0
"""How long a killed process may take to end. One that waits inside a driver may never do so."""

_PIPE_BUFFER_BYTES = 1024 * 1024


class WorkerProcess:
    """One running worker. Its standard input takes requests, its standard output gives events."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._verdict: ExitCause | None = None
        self._device_error = ""
        self._killed = asyncio.Event()
        self._decoder: Decoder[WorkerEvent | DeviceFailed] = Decoder(WorkerEvent | DeviceFailed)

    @classmethod
    async def start(cls, command: Sequence[str] = WORKER_COMMAND) -> WorkerProcess:
        """Start the worker; its log goes where the supervisor's standard error goes."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_PIPE_BUFFER_BYTES,
            # Ctrl-C in the terminal of an engine in the foreground is for the engine alone.
            start_new_session=True,
        )
        log.info("worker %d started", process.pid)
        return cls(process)

    @property
    def pid(self) -> int:
        """The worker's process id."""
        return self._process.pid

    def send(self, request: WorkerRequest) -> None:
        """Ask for something. A worker that is already dead is not told; its death is noticed."""
        assert self._process.stdin is not None
        if not self._process.stdin.is_closing():
            self._process.stdin.write(encode(request))

    async def events(self) -> AsyncIterator[WorkerEvent]:
        """What the worker says, until its process has ended; `cause` then says why.

        A process that does not end, though it was killed, is left to the kernel.
        """
        assert self._process.stdout is not None
        end_of_pipe = self._process.stdout.feed_eof
        loop = asyncio.get_running_loop()
        ended = asyncio.create_task(self._end())
        # A grandchild may hold the pipe open; the worker's own last words are in it by now.
        ended.add_done_callback(lambda _: loop.call_later(_LAST_WORDS_SECONDS, end_of_pipe))
        try:
            while (event := await self._read()) is not None:
                if isinstance(event, DeviceFailed):
                    self._device_error = event.message
                else:
                    yield event
            await asyncio.wait({ended}, timeout=_LAST_WORDS_SECONDS)
        finally:
            self.kill(SPEECHLESS)
            await ended

    async def _end(self) -> None:
        """Return when the process has ended, or has not though it was killed long ago."""
        exited = asyncio.create_task(self._process.wait())
        killed = asyncio.create_task(self._killed.wait())
        await asyncio.wait({exited, killed}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({exited}, timeout=_DEATH_SECONDS)
        killed.cancel()
        if not exited.done():
            exited.cancel()
            log.error("worker %d does not end though it was killed; it is left behind", self.pid)

    async def _read(self) -> WorkerEvent | DeviceFailed | None:
        assert self._process.stdout is not None
        try:
            return await self._decoder.read(self._process.stdout)
        except SdtuiError:
            log.exception("worker %d sent something that is no event", self.pid)
            return None

    @property
    def returncode(self) -> int | None:
        """How the process ended: negative for a signal, None while it runs."""
        return self._process.returncode

    @property
    def cause(self) -> ExitCause:
        """Why the process ended, which it has."""
        return self._verdict or describe_exit(self.returncode or 0, self._device_error)

    def kill(self, verdict: ExitCause | None = None) -> None:
        """End the process at once; nothing that must last is in its hands.

        Its exit code would say SIGKILL whatever it was killed for; `verdict` says why.
        """
        if self._process.returncode is None:
            self._verdict = self._verdict or verdict
            self._process.kill()
            self._killed.set()
