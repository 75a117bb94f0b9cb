"""Hundreds of pictures in a row, and the memory that they leave behind.

`SDTUI_SOAK` is how many are drawn, and the test is skipped without it: a handful of pictures tells
nothing about a leak. `make soak` draws 500.
"""

from __future__ import annotations

import asyncio
import os
import statistics

import psutil
import pytest

from sdtui.engine.client import EngineClient
from sdtui.params import GenerationParams
from sdtui.protocol.events import JobFailed, JobSaved
from tests.engine.processes import children
from tests.engine.watching import until

COUNT = int(os.environ.get("SDTUI_SOAK", "0"))
WARM_UP = 50
"""Pictures until caches and allocators have what they want."""

WINDOW = 10
"""Pictures whose median counts, as single figures are noisy."""

MOST_GROWTH = 1.05


@pytest.mark.skipif(COUNT < 3 * WARM_UP, reason=f"SDTUI_SOAK says nothing of {3 * WARM_UP} or more")
@pytest.mark.timeout(7200)
@pytest.mark.usefixtures("real_engine")
async def test_memory_does_not_grow_with_the_number_of_pictures() -> None:
    client = await EngineClient.connect(start=False)
    sizes: dict[str, list[int]] = {"engine": [], "worker": []}
    for seed in range(COUNT):
        await client.grant_preview()
        await client.submit(
            GenerationParams(
                prompt="a red apple", seed=seed, num_inference_steps=4, width=64, height=64
            )
        )
        events = await until(client, JobSaved, JobFailed)
        assert isinstance(events[-1], JobSaved)
        (worker,) = children(client.status.pid)
        for name, pid in {"engine": client.status.pid, "worker": worker}.items():
            sizes[name].append(psutil.Process(pid).memory_info().rss)
        await asyncio.sleep(0)
    await client.close()
    for name, series in sizes.items():
        before = statistics.median(series[WARM_UP - WINDOW : WARM_UP])
        after = statistics.median(series[-WINDOW:])
        print(f"{name}: {before / 1e6:.1f} MB after {WARM_UP}, {after / 1e6:.1f} MB after {COUNT}")
        assert after < before * MOST_GROWTH, name
