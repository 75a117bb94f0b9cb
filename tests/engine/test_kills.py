"""Workers and engines killed at random moments: nothing lost, nothing twice, nothing torn.

`SDTUI_KILLS` is how many are killed, `SDTUI_KILLS_SEED` the moments; `make soak` kills 250.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal

from sdtui.engine.client import EngineClient
from sdtui.params import GenerationParams
from tests.engine.conftest import StartEngine
from tests.engine.processes import children
from tests.engine.records import check_everything, unfinished

KILLS = int(os.environ.get("SDTUI_KILLS", "15"))
SEED = int(os.environ.get("SDTUI_KILLS_SEED", random.randrange(10_000)))
ENGINES_PART = 1 / 4
"""How many of the killed are engines, whose workers die with them; the others are workers."""


async def submit_some(job_ids: list[str], count: int) -> None:
    """Submit jobs, each with a seed of its own."""
    client = await EngineClient.connect(start=False)
    for _ in range(count):
        params = GenerationParams(
            prompt="pause=0.01", num_inference_steps=4, seed=len(job_ids), width=64, height=64
        )
        job_ids.append(await client.submit(params))
    await client.close()


async def finish(job_ids: list[str]) -> None:
    """Wait until no job is left, asking for another one where the engine waits for that.

    A worker that is killed twice before it is ready looks like one that cannot be started.
    """
    client = await EngineClient.connect(start=False)
    async with asyncio.timeout(120):
        while unfinished():
            if client.status.trouble is not None:
                await submit_some(job_ids, 1)
            await asyncio.sleep(0.1)
    await client.close()


async def test_kills_at_random_moments(start_fake_engine: StartEngine) -> None:
    print(f"SDTUI_KILLS_SEED={SEED}")
    chance = random.Random(SEED)
    job_ids: list[str] = []
    engine = start_fake_engine()
    for _ in range(KILLS):
        if len(unfinished()) < 4:
            await submit_some(job_ids, 6)
        await asyncio.sleep(chance.random() * 0.4)
        if chance.random() < ENGINES_PART:
            engine.kill()
            engine.wait()
            engine = start_fake_engine()
        else:
            with contextlib.suppress(ProcessLookupError):
                for worker in children(engine.pid):
                    os.kill(worker, signal.SIGKILL)
    await finish(job_ids)
    jobs = check_everything(job_ids).values()
    for job in jobs:
        assert job.state == "saved" or job.attempts == 2
    assert sum(job.attempts for job in jobs) <= len(jobs) + KILLS, "more reruns than kills"
    assert any(job.state == "saved" for job in jobs)
