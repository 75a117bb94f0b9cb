"""What goes wrong inside a job is named, and the worker or its successor goes on."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdtui import paths
from sdtui.engine.client import EngineClient
from sdtui.engine.listener import answers
from sdtui.params import GenerationParams
from sdtui.protocol.events import (
    AnyEvent,
    ImageDecoded,
    JobFailed,
    JobInterrupted,
    JobParked,
    JobSaved,
    JobStarted,
    StepCompleted,
)
from tests.engine.processes import FAKE_ENGINE, children, wait_for
from tests.engine.records import pictures
from tests.engine.watching import names, of_kind, until


@pytest.fixture(scope="module")
def faulty_engine() -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """The home and process of an engine with the real worker, which fails on request."""
    home = Path(tempfile.mkdtemp(prefix="sdtui-"))
    with pytest.MonkeyPatch.context() as patch, (home / "engine.log").open("ab") as log:
        patch.setenv("SDTUI_HOME", str(home))
        process = subprocess.Popen(
            [*FAKE_ENGINE, "900", "--faulty"], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        socket = paths.socket_path()
    wait_for(lambda: answers(socket))
    yield home, process
    process.kill()
    process.wait()
    shutil.rmtree(home)


@pytest.fixture
def engine(
    faulty_engine: tuple[Path, subprocess.Popen[bytes]],
    sdtui_home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> subprocess.Popen[bytes]:
    """The module's engine, to which clients are led."""
    home, process = faulty_engine
    monkeypatch.setenv("SDTUI_HOME", str(home))
    return process


def params(prompt: str, **others: object) -> GenerationParams:
    settings = {"num_inference_steps": 3, "width": 64, "height": 64, "preview_every": 0} | others
    return GenerationParams(prompt=prompt, **settings)  # type: ignore[arg-type]


async def draw(client: EngineClient, prompt: str) -> list[AnyEvent]:
    """The events of one job, to its end."""
    await client.submit(params(prompt), device="cpu")
    return await until(client, JobSaved, JobFailed)


@pytest.mark.parametrize("order", ["oom", "oom-decode"])
async def test_a_job_that_runs_out_of_memory_fails_and_its_worker_goes_on(
    engine: subprocess.Popen[bytes], order: str
) -> None:
    client = await EngineClient.connect(start=False)
    (failed,) = of_kind(await draw(client, order), JobFailed)
    assert failed.title == "Not enough memory"
    assert failed.message.startswith("DefaultCPUAllocator")
    assert "smaller picture" in failed.remedy
    workers = children(engine.pid)
    events = await draw(client, "a red apple")
    assert names(events)[-1] == "JobSaved"
    assert "ModelLoaded" not in names(events), "the model is still there"
    assert children(engine.pid) == workers
    await client.close()


@pytest.mark.usefixtures("engine")
async def test_a_picture_too_large_to_decode_is_decoded_in_tiles() -> None:
    client = await EngineClient.connect(start=False)
    (tiled,) = of_kind(await draw(client, "oom-whole"), ImageDecoded)
    (whole,) = of_kind(await draw(client, "a red apple"), ImageDecoded)
    assert (tiled.tiled, whole.tiled) == (True, False)
    assert len(set(tiled.rgb)) > 1
    await client.close()


async def test_a_device_that_failed_takes_its_worker_with_it_and_the_next_one_draws(
    engine: subprocess.Popen[bytes],
) -> None:
    client = await EngineClient.connect(start=False)
    await client.submit(params("device-once"), device="cpu")
    before = await until(client, JobStarted)
    workers = children(engine.pid)
    events = before + await until(client, JobSaved)
    (interrupted,) = of_kind(events, JobInterrupted)
    assert "device failed" in interrupted.message
    assert "smaller" in interrupted.remedy
    assert names(events).count("JobStarted") == 2
    assert children(engine.pid) != workers
    await client.close()


@pytest.mark.usefixtures("engine")
async def test_a_job_on_which_the_device_fails_twice_is_parked_and_the_queue_goes_on() -> None:
    client = await EngineClient.connect(start=False)
    (parked,) = of_kind(await draw(client, "device"), JobParked)
    assert "device failed" in parked.message
    assert names(await draw(client, "a red apple"))[-1] == "JobSaved"
    await client.close()


@pytest.mark.usefixtures("engine")
async def test_latents_that_overflow_are_named_with_their_step_and_draw_no_black_picture() -> None:
    client = await EngineClient.connect(start=False)
    before = pictures()
    events = await draw(client, "nan=2")
    (failed,) = of_kind(events, JobFailed)
    assert failed.title == "The latents are not numbers any more"
    assert failed.message == "They overflowed in float32 at step 2 of 3."
    assert "guidance" in failed.remedy
    assert [step.step_index for step in of_kind(events, StepCompleted)] == [0]
    assert pictures() == before
    assert names(await draw(client, "a red apple"))[-1] == "JobSaved"
    await client.close()
