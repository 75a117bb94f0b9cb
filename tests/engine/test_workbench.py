"""The worker's own work: what a failed request leaves behind, and which steps travel together."""

from __future__ import annotations

import gc
import math
import weakref
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from sdtui.diffusion.components import ComponentStart
from sdtui.engine import outbox, workbench
from sdtui.engine.exit_causes import DEVICE_FAILED
from sdtui.engine.inbox import JobControl
from sdtui.engine.workbench import Workbench
from sdtui.params import GenerationParams
from sdtui.protocol.codec import Decoder
from sdtui.protocol.events import (
    ComponentLoading,
    DeviceFailed,
    JobFailed,
    JobStarted,
    ModelLoaded,
    WorkerEvent,
    WorkerReady,
)
from sdtui.protocol.requests import LoadModel, RunJob
from tests.diffusion.damages import UNET, copy_of_the_model, rewrite
from tests.tui.fake_engine import ending, step


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


class FakeCoreWatch:
    """Counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def begin(self) -> None:
        self.asked.append("begin")

    def look(self) -> None:
        self.asked.append("look")


class Pipe(BytesIO):
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
    components = SimpleNamespace(device=torch.device("cpu"))
    monkeypatch.setattr(Workbench, "_components_for", lambda *_: components)
    pipe = Pipe(lambda: bool(held) and held[0]() is not None)
    with pytest.raises(NoMoreWork):
        Workbench(FakeInbox(), pipe).run()  # type: ignore[arg-type]

    pipe.seek(0)
    decoder: Decoder[WorkerEvent] = Decoder(WorkerEvent)
    told = [type(decoder.read_blocking(pipe)) for _ in range(4)]
    assert told == [WorkerReady, JobStarted, JobStarted, JobFailed]
    assert pipe.answers == [False, False, True, False]


def test_a_model_that_was_exported_anew_is_read_again(tmp_path: Path) -> None:
    model = copy_of_the_model(tmp_path / "model")

    class Inbox:
        """Asks for one model three times, and exports it anew before the last time."""

        def __init__(self) -> None:
            self.asked = 0

        def take(self) -> tuple[LoadModel, JobControl]:
            self.asked += 1
            if self.asked > 3:
                raise NoMoreWork
            if self.asked == 3:
                rewrite(model / UNET, (model / UNET).read_bytes())
            return LoadModel(model=str(model), device="cpu"), JobControl()

    pipe = BytesIO()
    with pytest.raises(NoMoreWork):
        Workbench(Inbox(), pipe).run()  # type: ignore[arg-type]

    size = pipe.tell()
    pipe.seek(0)
    decoder: Decoder[WorkerEvent] = Decoder(WorkerEvent)
    told = []
    while pipe.tell() < size:
        event = decoder.read_blocking(pipe)
        if isinstance(event, ModelLoaded):
            told.append("whole")
        elif isinstance(event, ComponentLoading) and event.component == "unet":
            told.append("unet")
    assert told == ["unet", "whole", "whole", "unet", "whole"]


PARAMS = GenerationParams(prompt="x", num_inference_steps=6)
STEPS = [step("1", PARAMS, index) for index in range(6)]
TOLD = [
    *(figures for figures, _ in STEPS[:4]),
    STEPS[3][1],
    *(figures for figures, _ in STEPS[4:]),
    ending("1")[0],
]


@pytest.mark.parametrize(
    ("device", "together"), [("cpu", [1, 1, 1, 4, 2, 1]), ("cuda", [1] * (2 + len(TOLD)))]
)
def test_steps_on_the_cpu_travel_with_the_preview_or_the_last_one(
    monkeypatch: pytest.MonkeyPatch, device: str, together: list[int]
) -> None:
    # However slow the machine is, none of it is long ago.
    monkeypatch.setattr(outbox, "TOGETHER_SECONDS", math.inf)
    monkeypatch.setattr(workbench, "run_job", lambda *_: iter(TOLD))
    components = SimpleNamespace(device=torch.device(device))
    monkeypatch.setattr(Workbench, "_components_for", lambda *_: components)
    watch = FakeCoreWatch()
    monkeypatch.setattr(workbench, "CoreWatch", lambda: watch)
    written: list[int] = []
    pipe = Pipe(lambda: bool(written.append(pipe.tell())))
    with pytest.raises(NoMoreWork):
        Workbench(FakeInbox(), pipe).run()  # type: ignore[arg-type]

    pipe.seek(0)
    decoder: Decoder[WorkerEvent] = Decoder(WorkerEvent)
    told, counts = [], []
    for end in written:
        before = len(told)
        while pipe.tell() < end:
            told.append(decoder.read_blocking(pipe))
        counts.append(len(told) - before)
    assert told[2:] == TOLD
    assert counts == together
    assert watch.asked == ["begin"] + ["look"] * (len(STEPS) if device == "cpu" else 0)


class Left(Exception):
    """The process would have ended."""


@pytest.mark.parametrize(
    "said",
    [
        torch.AcceleratorError("CUDA error: unspecified launch failure\nSearch for it."),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR"),
    ],
)
@pytest.mark.parametrize("where", ["run_job", "free_memory"])
def test_a_device_that_failed_is_told_before_its_process_is_left(
    monkeypatch: pytest.MonkeyPatch, said: Exception, where: str
) -> None:
    def break_down(*_: object) -> None:
        raise ValueError("a defect")

    def fail(*_: object) -> None:
        raise said

    def end(exit_code: int) -> None:
        raise Left(exit_code)

    monkeypatch.setattr(workbench, "run_job", break_down)
    monkeypatch.setattr(workbench, where, fail)
    monkeypatch.setattr(workbench.logging, "shutdown", lambda: None)
    monkeypatch.setattr(workbench.os, "_exit", end)
    components = SimpleNamespace(device=torch.device("cpu"))
    monkeypatch.setattr(Workbench, "_components_for", lambda *_: components)
    pipe = BytesIO()
    with pytest.raises(Left, match=str(DEVICE_FAILED)):
        Workbench(FakeInbox(), pipe).run()  # type: ignore[arg-type]

    pipe.seek(0)
    decoder: Decoder[WorkerEvent | DeviceFailed] = Decoder(WorkerEvent | DeviceFailed)
    *_, last = [decoder.read_blocking(pipe) for _ in range(3)]
    assert isinstance(last, DeviceFailed)
    assert last.message == str(said).partition("\n")[0]


def test_the_last_model_is_gone_before_the_first_part_of_the_next_one_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "unet.safetensors"
    weights.touch()
    held: list[weakref.ref[torch.Tensor]] = []
    alive: list[int] = []

    def load(model: str, device: str, _: str, report: Any) -> SimpleNamespace:
        report(ComponentStart("unet", 0, 1))
        gc.collect()
        alive.append(sum(last() is not None for last in held))
        vae = torch.zeros(1000)
        held.append(weakref.ref(vae))
        return SimpleNamespace(
            model=model,
            vae=vae,
            unet_file=weights,
            device=torch.device(device),
            device_name="fake",
            dtype=torch.float32,
            parameters=1000,
            size=4000,
            seconds=0.0,
        )

    class Inbox:
        """Asks for one model after another."""

        def __init__(self) -> None:
            self._models = ["first", "second", "third"]

        def take(self) -> tuple[LoadModel, JobControl]:
            if not self._models:
                raise NoMoreWork
            return LoadModel(model=self._models.pop(0), device="cpu"), JobControl()

    monkeypatch.setattr(workbench, "load", load)
    with pytest.raises(NoMoreWork):
        Workbench(Inbox(), BytesIO()).run()  # type: ignore[arg-type]
    assert alive == [0, 0, 0]
