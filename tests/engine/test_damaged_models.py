"""A damaged model costs its job and nothing else: a clear error before the first step."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdtui.engine.client import EngineClient
from sdtui.errors import ModelError
from sdtui.params import GenerationParams
from sdtui.protocol.events import JobFailed, JobSaved, StepCompleted
from tests.diffusion.damages import DAMAGES, copy_of_the_model
from tests.engine.processes import children
from tests.engine.watching import of_kind, until

pytestmark = pytest.mark.usefixtures("real_engine")


def params(model: str = "pocket") -> GenerationParams:
    return GenerationParams(
        prompt="a red apple", model=model, num_inference_steps=2, width=64, height=64
    )


async def test_every_damage_is_told_by_one_worker_that_still_draws_afterwards(
    tmp_path: Path,
) -> None:
    client = await EngineClient.connect(start=False)
    for number, (name, (damage, said)) in enumerate(DAMAGES.items()):
        folder = copy_of_the_model(tmp_path / str(number))
        damage(folder)
        await client.submit(params(str(folder)))
        events = await until(client, JobFailed, JobSaved)
        (failed,) = of_kind(events, JobFailed)
        assert failed.exit_code == ModelError.exit_code, name
        assert said in failed.message, name
        assert failed.remedy, name
        assert not of_kind(events, StepCompleted), name
    assert len(children(client.status.pid)) == 1
    await client.submit(params())
    await until(client, JobSaved)
    await client.close()
