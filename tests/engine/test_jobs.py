"""Jobs go through the queue, in order, and every client sees all of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sdtui import paths
from sdtui.engine.client import EngineClient
from sdtui.errors import ParameterError
from sdtui.history.images import read_params, read_record
from sdtui.params import GenerationParams
from sdtui.protocol.events import (
    ComponentLoading,
    EngineStatus,
    GuidanceAdjusted,
    JobCancelled,
    JobFailed,
    JobQueued,
    JobSaved,
    JobStarted,
    ModelLoaded,
    StepCompleted,
)
from tests.engine.processes import wait_for
from tests.engine.watching import names, of_kind, until

pytestmark = pytest.mark.usefixtures("fake_engine")


def params(prompt: str = "a red apple", steps: int = 3, **others: object) -> GenerationParams:
    return GenerationParams(prompt=prompt, num_inference_steps=steps, **others)  # type: ignore[arg-type]


async def test_a_job_becomes_a_picture_that_knows_its_parameters() -> None:
    client = await EngineClient.connect(start=False)
    wanted = params(seed=42)
    job_id = await client.submit(wanted)
    events = await until(client, JobSaved)
    assert names(events) == [
        "JobQueued",
        "JobStarted",
        "ComponentLoading",
        "ModelLoaded",
        "PromptTokenized",
        "StepCompleted",
        "StepCompleted",
        "StepCompleted",
        "PreviewReady",
        "ImageDecoded",
        "JobSaved",
    ]
    saved = events[-1]
    assert isinstance(saved, JobSaved)
    assert saved.job_id == job_id
    assert read_params(Path(saved.path)) == wanted
    assert Path(saved.path).name == "0001-a-red-apple-42.png"
    await client.close()


async def test_jobs_run_one_after_another_and_do_not_mix() -> None:
    client = await EngineClient.connect(start=False)
    first = await client.submit(params("first pause=0.02"))
    second = await client.submit(params("second"))
    await until(client, JobSaved)
    events = await until(client, JobSaved)
    assert first != second
    assert {event.job_id for event in events if hasattr(event, "job_id")} == {second}
    await client.close()


async def test_a_late_client_sees_the_running_job_from_its_beginning() -> None:
    first = await EngineClient.connect(start=False)
    await first.submit(params("pause=0.05", steps=8))
    await until(first, StepCompleted)
    await until(first, StepCompleted)
    late = await EngineClient.connect(start=False)
    events = await until(late, JobSaved)
    assert isinstance(events[0], EngineStatus)
    assert names(events)[:2] == ["JobQueued", "JobStarted"]
    assert [step.step_index for step in of_kind(events, StepCompleted)] == list(range(8))
    await first.close()
    await late.close()


async def test_a_job_goes_on_without_clients_and_its_end_waits_for_the_next_one() -> None:
    client = await EngineClient.connect(start=False)
    await client.submit(params("lonely pause=0.05", steps=4))
    await until(client, StepCompleted)
    await client.close()

    wait_for(lambda: list(paths.images_dir().rglob("*.png")))
    back = await EngineClient.connect(start=False)
    events = await until(back, JobSaved)
    assert names(events)[0] == "JobQueued"
    assert len(of_kind(events, StepCompleted)) == 4
    (status,) = await until(back, EngineStatus)
    assert status == back.status
    assert back.status.state == "idle"
    await back.close()


async def test_an_end_that_was_seen_is_not_told_again() -> None:
    client = await EngineClient.connect(start=False)
    await client.submit(params())
    await until(client, JobSaved)
    await client.close()
    back = await EngineClient.connect(start=False)
    await back.load_model("another")
    assert names(await until(back, ModelLoaded)) == ["ComponentLoading", "ModelLoaded"]
    await back.close()


async def test_a_waiting_job_is_cancelled_without_having_run() -> None:
    client = await EngineClient.connect(start=False)
    await client.submit(params("pause=0.05", steps=4))
    waiting = await client.submit(params("never drawn"))
    await client.cancel(waiting)
    events = await until(client, JobSaved)
    (cancelled,) = of_kind(events, JobCancelled)
    assert (cancelled.job_id, cancelled.completed, cancelled.count) == (waiting, 0, 0)
    assert waiting not in {started.job_id for started in of_kind(events, JobStarted)}
    await client.close()


async def test_a_running_job_is_cancelled_between_two_steps() -> None:
    client = await EngineClient.connect(start=False)
    job_id = await client.submit(params("pause=0.05", steps=100))
    await until(client, StepCompleted)
    await client.cancel(job_id)
    events = await until(client, JobCancelled)
    cancelled = of_kind(events, JobCancelled)[0]
    assert 1 <= cancelled.completed < 100
    assert cancelled.count == 100
    await client.close()


async def test_guidance_changes_from_the_next_step_on_and_the_picture_says_so() -> None:
    client = await EngineClient.connect(start=False)
    job_id = await client.submit(params("pause=0.05", steps=6, guidance_scale=7.5))
    before = of_kind(await until(client, StepCompleted), StepCompleted)
    await client.adjust(job_id, 3.0)
    events = await until(client, JobSaved)
    (adjusted,) = of_kind(events, GuidanceAdjusted)
    for step in before + of_kind(events, StepCompleted):
        expected = 3.0 if step.step_index >= adjusted.step_index else 7.5
        assert step.guidance_scale == expected
    record = read_record(Path(of_kind(events, JobSaved)[0].path))
    assert record.guidance_adjustments == [(adjusted.step_index, 3.0)]
    await client.close()


async def test_guidance_changed_while_the_job_waits_counts_from_its_first_step() -> None:
    client = await EngineClient.connect(start=False)
    await client.submit(params("pause=0.05"))
    waiting = await client.submit(params())
    await client.adjust(waiting, 2.0)
    await until(client, JobSaved)
    events = await until(client, JobSaved)
    assert of_kind(events, GuidanceAdjusted)[0].step_index == 0
    assert {step.guidance_scale for step in of_kind(events, StepCompleted)} == {2.0}
    await client.close()


@pytest.mark.parametrize("guidance_scale", [float("nan"), -1.0, 51.0])
async def test_an_impossible_guidance_is_refused(guidance_scale: float) -> None:
    client = await EngineClient.connect(start=False)
    with pytest.raises(ParameterError) as caught:
        await client.adjust("any", guidance_scale)
    assert caught.value.field == "guidance_scale"
    await client.close()


async def test_a_failed_job_says_why_and_the_queue_goes_on() -> None:
    client = await EngineClient.connect(start=False)
    await client.submit(params("fail"))
    await client.submit(params("a red apple"))
    events = await until(client, JobSaved)
    assert of_kind(events, JobFailed)[0].remedy == "Try another."
    await client.close()


async def test_a_picture_that_cannot_be_saved_fails_its_job_and_the_queue_goes_on() -> None:
    paths.images_dir().touch()
    client = await EngineClient.connect(start=False)
    await client.submit(params())
    (failed,) = of_kind(await until(client, JobFailed), JobFailed)
    assert failed.title == "The picture could not be saved"
    assert str(paths.images_dir()) in failed.message
    paths.images_dir().unlink()
    await client.submit(params())
    await until(client, JobSaved)
    await client.close()


async def test_every_client_sees_every_job() -> None:
    first = await EngineClient.connect(start=False)
    second = await EngineClient.connect(start=False)
    job_id = await first.submit(params())
    for client in (first, second):
        events = await until(client, JobSaved)
        assert of_kind(events, JobQueued)[0].job_id == job_id
        await client.close()


async def test_a_job_waits_for_the_model_that_is_being_loaded_for_it(sdtui_home: Path) -> None:
    client = await EngineClient.connect(start=False)
    await client.load_model("held")
    await until(client, ComponentLoading)
    await client.submit(params(model="held"))
    (sdtui_home / "go").touch()
    events = await until(client, JobSaved)
    assert names(events)[:3] == ["JobQueued", "ModelLoaded", "JobStarted"]
    assert names(events).count("ModelLoaded") == 1
    await client.close()


async def test_many_clients_may_submit_at_once() -> None:
    clients = [await EngineClient.connect(start=False) for _ in range(8)]
    job_ids = await asyncio.gather(*(client.submit(params()) for client in clients))
    assert len(set(job_ids)) == 8
    saved: list[JobSaved] = []
    while len(saved) < 8:
        saved += of_kind(await until(clients[0], JobSaved), JobSaved)
    assert [event.job_id for event in saved] == job_ids
    for client in clients:
        await client.close()
