"""Jobs of an engine with a FakeWorker, asked for beside the interface."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sdtui.engine.client import EngineClient
from sdtui.params import GenerationParams
from tests.engine.processes import wait_for
from tests.engine.records import stored

HELD_AT, STEPS = 12, 40


def submit_held(seed: int) -> str:
    """A job that is held before step `HELD_AT` of `STEPS` until it is let go; its id."""
    return asyncio.run(_submit(seed))


async def _submit(seed: int) -> str:
    client = await EngineClient.connect(start=False)
    job_id = await client.submit(
        GenerationParams(
            prompt=f"hold={HELD_AT}", num_inference_steps=STEPS, seed=seed, width=64, height=64
        )
    )
    await client.close()
    return job_id


def let_go(home: Path, job_id: str) -> None:
    """Let a held job run, and return when its picture is on the disk."""
    go = home / "go"
    go.touch()
    wait_for(lambda: stored(job_id).state == "saved", 60)
    go.unlink()
