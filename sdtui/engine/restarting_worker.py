"""A worker that comes back: another process takes the place of one that died."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence

from sdtui.engine.exit_causes import SEE_THE_LOG, ExitCause
from sdtui.engine.patience import Patience
from sdtui.engine.worker_process import WorkerProcess
from sdtui.engine.worker_watch import memory_pages, replace_if_stuck
from sdtui.protocol.events import ImageDecoded, WorkerEvent, WorkerReady
from sdtui.protocol.requests import WorkerRequest

log = logging.getLogger(__name__)

_FAILED_STARTS = 2
"""A program that so often in a row ends before it is ready will not start the next time either."""

_PAUSES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before a worker takes the place of one that died, and of others that drew nothing before
it: whatever ends them need not be met in a loop that keeps a machine busy."""


class RestartingWorker:
    """Keeps one worker process running from `start` on, until it is dismissed.

    `is_drawing` tells whether the worker has something to compute. `on_event` is called with what
    it says, readiness included; `on_end` with the cause of its death, before the next one starts;
    `on_give_up` with the last cause when none can be started. The next one starts at once, or, the
    more workers have died since the last picture, after a longer pause. `state` is "off",
    "starting", "ready" or "restarting".
    """

    def __init__(
        self,
        command: Sequence[str],
        patience: Patience,
        *,
        is_drawing: Callable[[], bool],
        on_event: Callable[[WorkerEvent], None],
        on_end: Callable[[ExitCause], None],
        on_give_up: Callable[[ExitCause], None],
    ) -> None:
        self.state = "off"
        self._command = command
        self._patience = patience
        self._is_drawing = is_drawing
        self._on_event = on_event
        self._on_end = on_end
        self._on_give_up = on_give_up
        self._process: WorkerProcess | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._fruitless = 0

    def start(self) -> None:
        """Start the worker unless it runs already."""
        if self.state == "off" and not self._stopping.is_set():
            self.state = "starting"
            task = asyncio.create_task(self._run())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def send(self, request: WorkerRequest) -> None:
        """Ask the running worker for something."""
        if self._process is not None:
            self._process.send(request)

    @property
    def memory_pages(self) -> int | None:
        """How much memory the running worker holds; None where the system does not tell."""
        return memory_pages(self._process.pid) if self._process is not None else None

    def replace(self, cause: ExitCause) -> None:
        """End the running worker, for that cause; another one takes its place."""
        if self._process is not None:
            self._process.kill(cause)

    def dismiss(self) -> None:
        """End the running worker, of which nothing more is told; `start` brings another one."""
        process, self._process = self._process, None
        self.state = "off"
        if process is not None:
            process.kill()

    async def stop(self) -> None:
        """End the worker for good."""
        self._stopping.set()
        self.dismiss()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _run(self) -> None:
        try:
            cause = await self._keep_running()
        except Exception as error:
            log.exception("the engine cannot go on with its worker")
            cause = ExitCause(f"{type(error).__name__}: {error}", SEE_THE_LOG)
        if cause is not None:
            self.dismiss()
            self._on_give_up(cause)

    async def _keep_running(self) -> ExitCause | None:
        """Returns when the worker is dismissed, or with the cause why none can be started."""
        failed_starts = 0
        while True:
            process = self._process = await WorkerProcess.start(self._command)
            if self._stopping.is_set():
                self.dismiss()
            await self._follow(process)
            if process is not self._process:
                return None
            self._process = None
            failed_starts = 0 if self.state == "ready" else failed_starts + 1
            self.state = "restarting"
            self._on_end(process.cause)
            if failed_starts == _FAILED_STARTS:
                return process.cause
            await self._pause()
            if self._stopping.is_set():
                return None

    async def _pause(self) -> None:
        """Wait before the next start, the longer the more often that was for nothing."""
        seconds = _PAUSES[min(self._fruitless, len(_PAUSES) - 1)]
        self._fruitless += 1
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _follow(self, process: WorkerProcess) -> None:
        watch = asyncio.create_task(replace_if_stuck(process, self._is_drawing, self._patience))
        try:
            async for event in process.events():
                if process is not self._process:
                    continue
                if isinstance(event, WorkerReady):
                    log.info("worker %d is ready with torch %s", process.pid, event.torch_version)
                    self.state = "ready"
                elif isinstance(event, ImageDecoded):
                    self._fruitless = 0
                self._on_event(event)
        finally:
            watch.cancel()
