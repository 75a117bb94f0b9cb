"""Workers and engines killed at random moments: nothing lost, nothing twice, nothing torn.

`SDTUI_KILLS` is how many workers are killed, a quarter as many engines, and a tenth as many workers
with the bundled model; `SDTUI_KILLS_SEED` gives the moments. `make soak` kills 200, 50 and 20.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from pathlib import Path

import pytest
from PIL import Image

from sdtui.engine.client import EngineClient
from sdtui.history.images import read_params
from sdtui.params import GenerationParams
from sdtui.protocol.events import (
    AnyEvent,
    EngineStatus,
    ImageDecoded,
    JobSaved,
    PreviewReady,
    QueueChanged,
)
from tests.engine.conftest import StartEngine
from tests.engine.processes import children
from tests.engine.records import check_everything, pictures, stored, unfinished
from tests.engine.watching import of_kind, until

KILLS = int(os.environ.get("SDTUI_KILLS", "12"))
SEED = int(os.environ.get("SDTUI_KILLS_SEED", random.randrange(10_000)))
AS_TIME_HAS_IT = (EngineStatus, QueueChanged, PreviewReady)
"""There may be one more of these or one less, as fast as all goes."""


@pytest.fixture
def chance() -> random.Random:
    """The moments, which a failed test can be run with again."""
    print(f"SDTUI_KILLS_SEED={SEED}")
    return random.Random(SEED)


async def submit_some(job_ids: list[str], count: int) -> None:
    """Submit jobs, each with a seed of its own."""
    client = await EngineClient.connect(start=False)
    for _ in range(count):
        params = GenerationParams(
            prompt="pause=0.03", num_inference_steps=4, seed=len(job_ids), width=64, height=64
        )
        job_ids.append(await client.submit(params))
    await client.close()


async def kill_a_worker(engine: int, job_ids: list[str]) -> None:
    """Kill the engine's worker, as soon as there is one.

    One that is killed twice before it is ready looks like one that cannot be started; the engine
    then waits for another job. One that drew nothing is replaced after a pause.
    """
    client = await EngineClient.connect(start=False)
    while not (workers := children(engine)):
        if client.status.trouble is not None:
            await submit_some(job_ids, 1)
        await asyncio.sleep(0.05)
    await client.close()
    os.kill(workers[0], signal.SIGKILL)


async def finish(job_ids: list[str]) -> None:
    """Wait until no job is left, asking for another one where the engine waits for that."""
    client = await EngineClient.connect(start=False)
    async with asyncio.timeout(120):
        while unfinished():
            if client.status.trouble is not None:
                await submit_some(job_ids, 1)
            await asyncio.sleep(0.1)
    await client.close()


async def test_kills_at_random_moments(
    start_fake_engine: StartEngine, chance: random.Random
) -> None:
    victims = ["worker"] * KILLS + ["engine"] * (KILLS // 4)
    chance.shuffle(victims)
    job_ids: list[str] = []
    engine = start_fake_engine()
    for victim in victims:
        # The queue never runs dry, so that most of the killed are at work.
        if len(unfinished()) < 6:
            await submit_some(job_ids, 6)
        await asyncio.sleep(chance.random() * 0.4)
        if victim == "worker":
            await kill_a_worker(engine.pid, job_ids)
        else:
            engine.kill()
            engine.wait()
            engine = start_fake_engine()
    await finish(job_ids)
    jobs = check_everything(job_ids).values()
    for job in jobs:
        assert job.state == "saved" or job.attempts == 2
    assert sum(job.attempts for job in jobs) <= len(jobs) + len(victims), "more reruns than kills"
    assert any(job.state == "saved" for job in jobs)
    assert any(job.attempts == 2 for job in jobs), "nothing was interrupted"
    for path in pictures():
        with Image.open(path) as picture:
            assert set(picture.tobytes()) == {read_params(path).seed % 256}, "not this job's pixels"


async def draw(client: EngineClient, seed: int) -> str:
    """Ask for the picture of a seed; its job's id."""
    return await client.submit(
        GenerationParams(
            prompt="a red apple", seed=seed, num_inference_steps=8, width=64, height=64
        )
    )


def pixels(events: list[AnyEvent]) -> bytes:
    """What was drawn."""
    return of_kind(events, ImageDecoded)[-1].rgb


@pytest.mark.usefixtures("real_engine")
async def test_a_rerun_with_the_bundled_model_has_the_same_pixels(chance: random.Random) -> None:
    client = await EngineClient.connect(start=False)
    # The model is loaded once, so that each job tells as much as the next one.
    job_ids = [await draw(client, seed=0)]
    await until(client, JobSaved)
    for seed in range(max(KILLS // 10, 1)):
        job_ids.append(await draw(client, seed))
        undisturbed = await until(client, JobSaved)
        told = [event for event in undisturbed if not isinstance(event, AS_TIME_HAS_IT)]

        job_ids.append(await draw(client, seed))
        events: list[AnyEvent] = []
        for _ in range(chance.randrange(1, len(told))):
            events += await until(client, *{type(event) for event in told})
        (worker,) = children(client.status.pid)
        os.kill(worker, signal.SIGKILL)
        if not isinstance(events[-1], JobSaved):
            events += await until(client, JobSaved)

        (saved,) = of_kind(events, JobSaved)
        assert saved.job_id == job_ids[-1]
        assert stored(saved.job_id).attempts <= 2, "more reruns than kills"
        assert pixels(events) == pixels(undisturbed)
        with Image.open(Path(saved.path)) as picture:
            assert picture.tobytes() == pixels(undisturbed)
    check_everything(job_ids)
    await client.close()
