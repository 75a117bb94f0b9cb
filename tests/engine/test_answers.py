"""Every request is answered, at once and in order, whatever another one waits for."""

from __future__ import annotations

import asyncio
import resource
import subprocess
from pathlib import Path

import pytest

from sdtui.engine.client import EngineClient
from sdtui.errors import EngineError, ParameterError
from sdtui.params import GenerationParams
from sdtui.protocol.events import (
    GuidanceAdjusted,
    JobCancelled,
    JobSaved,
    ModelLoaded,
    StepCompleted,
)
from tests.engine.conftest import StartEngine
from tests.engine.records import stored, unfinished
from tests.engine.watching import names, of_kind, until

Engine = subprocess.Popen  # of bytes


def params(prompt: str = "a red apple", steps: int = 2) -> GenerationParams:
    return GenerationParams(prompt=prompt, num_inference_steps=steps, width=64, height=64)


async def attach() -> EngineClient:
    return await EngineClient.connect(start=False)


async def test_what_cannot_be_cancelled_or_adjusted_is_refused(fake_engine: Engine) -> None:
    client = await attach()
    saved = await client.submit(params())
    await until(client, JobSaved)
    for job_id in (saved, "nobody"):
        for request in (client.cancel(job_id), client.adjust(job_id, 3.0)):
            with pytest.raises(ParameterError, match="no job that runs or waits") as caught:
                await request
            assert caught.value.field == "job_id"
            assert "sdtui queue" in caught.value.remedy
    assert stored(saved).state == "saved"
    await client.submit(params())
    assert "JobCancelled" not in names(await until(client, JobSaved))
    await client.close()


async def test_what_is_accepted_is_answered_before_it_takes_effect(fake_engine: Engine) -> None:
    client = await attach()
    running = await client.submit(params("hold=1", steps=9))
    waiting = await client.submit(params())
    await until(client, StepCompleted)
    for job_id in (running, waiting):
        await client.adjust(job_id, 3.0)
        assert stored(job_id).guidance_scale == 3.0
        await client.cancel(job_id)
    assert unfinished() == [running]
    await client.cancel(running)
    (cancelled,) = of_kind(await until(client, JobCancelled), JobCancelled)
    assert cancelled.job_id == waiting
    await client.close()


async def test_a_model_is_loaded_ahead_only_while_no_job_brings_its_own(
    fake_engine: Engine,
) -> None:
    client = await attach()
    await client.load_model("first")
    await until(client, ModelLoaded)
    job_id = await client.submit(params("pause=30"))
    with pytest.raises(EngineError, match="loaded when a picture is made with it"):
        await client.load_model("second")
    await client.pause_queue()
    await client.cancel(job_id)
    await client.close()


async def test_what_the_disk_refuses_is_told_and_changes_nothing(fake_engine: Engine) -> None:
    client = await attach()
    await client.pause_queue()
    job_id, ended = await client.submit_batch(params(), 2)
    await client.cancel(ended)
    _, most = resource.prlimit(fake_engine.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(fake_engine.pid, resource.RLIMIT_FSIZE, (0, most))
    for request in (client.cancel(job_id), client.adjust(job_id, 3.0), client.clear_ended()):
        with pytest.raises(EngineError, match="cannot be written"):
            await request
    assert stored(ended).state == "cancelled"
    resource.prlimit(fake_engine.pid, resource.RLIMIT_FSIZE, (most, most))
    assert (stored(job_id).state, stored(job_id).guidance_scale) == ("queued", None)
    await client.resume_queue()
    assert not of_kind(await until(client, JobSaved), GuidanceAdjusted)
    await client.close()


async def test_nothing_waits_for_a_history_that_waits_for_its_disk(
    start_fake_engine: StartEngine, sdtui_home: Path
) -> None:
    start_fake_engine("--slow-disk")
    client = await attach()
    saved = await client.submit(params())
    await until(client, JobSaved)
    searches = [asyncio.create_task(client.search_gallery()) for _ in range(20)]
    await client.set_favourite(saved, True)

    running, waiting = await client.submit_batch(params("hold=1"), 2)
    await until(client, StepCompleted)
    await client.adjust(running, 3.0)
    await client.move_up(waiting)
    await client.cancel(waiting)
    await client.cancel(running)
    (sdtui_home / "go").touch()
    await until(client, JobCancelled)
    await client.submit(params())
    await until(client, JobSaved)
    assert not any(search.done() for search in searches)

    (sdtui_home / "disk-is-awake").touch()
    assert [found.total for found in await asyncio.gather(*searches)] == [1] * len(searches)
    await client.close()


async def test_what_is_asked_in_one_breath_is_done_in_its_order(
    start_fake_engine: StartEngine, sdtui_home: Path
) -> None:
    start_fake_engine("--slow-disk")
    client = await attach()
    await client.pause_queue()
    asked = []
    for number in range(20):
        asked.append(asyncio.create_task(client.submit(params(f"number {number}"))))
        if number % 5 == 0:
            asked.append(asyncio.create_task(client.search_gallery()))
    (sdtui_home / "disk-is-awake").touch()
    answers = await asyncio.gather(*asked)
    job_ids = [answer for answer in answers if isinstance(answer, str)]
    assert unfinished() == job_ids
    assert [stored(job_id).params.prompt for job_id in job_ids] == [
        f"number {number}" for number in range(20)
    ]
    await client.close()


async def test_a_client_that_leaves_does_not_leave_its_requests_half_done(
    start_fake_engine: StartEngine, sdtui_home: Path
) -> None:
    engine = start_fake_engine("--slow-disk")
    client = await attach()
    await client.submit(params())
    await until(client, JobSaved)
    search = asyncio.create_task(client.search_gallery())
    await client.pause_queue()
    await client.close()
    with pytest.raises(EngineError, match="lost"):
        await search
    # The engine waits for nobody who has left.
    (sdtui_home / "disk-is-awake").touch()
    engine.terminate()
    assert await asyncio.to_thread(engine.wait, 10) == 0
