"""Which model the worker holds, and which one it brings in ahead of its use."""

from __future__ import annotations

from collections import deque

from sdtui.engine.backlog import Backlog
from sdtui.engine.job import Job
from sdtui.protocol.events import (
    ComponentLoading,
    DownloadProgressed,
    LoadingEvent,
    ModelFailed,
    ModelLoaded,
)
from sdtui.protocol.requests import LoadModel


class ModelLoading:
    """Follows the worker's loading, for jobs and ahead of them.

    `wanted` is what is to be asked of the worker next. `loaded` is the model in its memory.
    `record` shows a late client what is being loaded; None while nothing is. `is_downloading` says
    that the worker waits for the hub, whose answers come or fail by themselves.
    """

    def __init__(self) -> None:
        self.wanted: LoadModel | None = None
        self.loaded: ModelLoaded | None = None
        self.record: Backlog | None = None
        self.is_downloading = False
        self._asked: deque[LoadModel] = deque()

    @property
    def is_ahead(self) -> bool:
        """Whether the worker was asked for a model and has not answered."""
        return bool(self._asked)

    @property
    def is_on_cpu(self) -> bool:
        """Whether the model in memory computes on the CPU."""
        return self.loaded is not None and self.loaded.device == "cpu"

    @property
    def unanswered(self) -> LoadModel | None:
        """The request that the worker is to answer next."""
        return self._asked[0] if self._asked else None

    def ask(self) -> LoadModel | None:
        """The request to send to an idle worker, if there is one."""
        request, self.wanted = self.wanted, None
        if request is not None:
            self._asked.append(request)
        return request

    def serves(self, job: Job) -> bool:
        """Whether the model on its way is the one that `job` needs."""
        return self.is_ahead and job.draws_with(self._asked[-1])

    def take(self, event: LoadingEvent, frame: bytes, *, for_job: bool) -> bool:
        """Follow one event; false if it is not worth telling.

        The worker answers each request, in order, and gives one up for what is asked later: for
        another model, or `for_job`. Nobody waits for that answer any more.
        """
        self.is_downloading = isinstance(event, DownloadProgressed)
        match event:
            case ModelLoaded() | ModelFailed():
                if self._asked:
                    self._asked.popleft()
                self.record = None
                if isinstance(event, ModelFailed):
                    return not (self._asked or for_job)
                self.loaded = event
            case _:
                self.record = self.record or Backlog()
                self.record.append(event, frame)
                if isinstance(event, ComponentLoading):
                    # A download leaves the last model in its place; the first component takes it.
                    self.loaded = None
        return True

    def job_ended(self) -> None:
        """Forget what was being loaded for a job that has ended; nobody is told of it any more."""
        self.record = None
        self.is_downloading = False

    def worker_ended(self) -> str:
        """Forget it all; the name of the model that nobody will answer for, or nothing."""
        model = self._asked[-1].model if self._asked else ""
        self._asked.clear()
        self.loaded = self.record = None
        self.is_downloading = False
        return model
