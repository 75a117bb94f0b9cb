"""The worker's own work: what a failed request leaves behind."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
import torch

from sdtui.engine import workbench
from sdtui.engine.inbox import JobControl
from sdtui.engine.workbench import Workbench
from sdtui.params import GenerationParams
from sdtui.protocol.codec import Decoder
from sdtui.protocol.events import JobFailed, JobStarted, WorkerEvent, WorkerReady
from sdtui.protocol.requests import RunJob


class NoMoreWork(Exception):
    """The test's work is done."""


class FakeInbox:
    """Holds one job, and ends the workbench's loop when that is done."""

    def __init__(self) -> None:
        self._job: RunJob | None = RunJob(job_id="1", params=GenerationParams(prompt="x"))

    def take(self) -> tuple[RunJob, JobControl]:
        job, self._job = self._job, None
        if job is None:
            raise NoMoreWork
        return job, JobControl()


class Wire(BytesIO):
    """Asks a question whenever something is said."""

    def __init__(self, ask: Any) -> None:
        super().__init__()
        self._ask = ask
        self.answers: list[bool] = []

    def flush(self) -> None:
        self.answers.append(self._ask())


def test_the_memory_of_a_failed_job_is_free_before_its_end_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held: list[weakref.ref[torch.Tensor]] = []

    def run_job(*_: object) -> Iterator[Any]:
        activations = torch.zeros(1000)
        held.append(weakref.ref(activations))
        yield JobStarted(job_id="1", params=GenerationParams(prompt="x"))
        raise torch.OutOfMemoryError(f"no room beside {activations.numel()} numbers")

    monkeypatch.setattr(workbench, "run_job", run_job)
    # pytest keeps what is logged, and the traceback in it.
    monkeypatch.setattr(workbench.log, "disabled", True)
    monkeypatch.setattr(Workbench, "_components_for", lambda *_: None)
    wire = Wire(lambda: bool(held) and held[0]() is not None)
    with pytest.raises(NoMoreWork):
        Workbench(FakeInbox(), wire).run()  # type: ignore[arg-type]

    wire.seek(0)
    decoder: Decoder[WorkerEvent] = Decoder(WorkerEvent)
    told = [type(decoder.read_blocking(wire)) for _ in range(4)]
    assert told == [WorkerReady, JobStarted, JobStarted, JobFailed]
    assert wire.answers == [False, False, True, False]
