"""A scheduler's configuration of an older diffusers is read as StableDiffusionPipeline reads it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from sdtui.diffusion.components import LoadedComponents
from sdtui.diffusion.schedulers import make_scheduler
from sdtui.params import GenerationParams
from tests.diffusion.oracle import final_latents, make_pipeline, run_pipeline

OUTDATED: dict[str, dict[str, Any]] = {
    "no offset": {},
    "no offset but 0": {"steps_offset": 0},
    "clipping": {"steps_offset": 1, "clip_sample": True},
}


@pytest.mark.parametrize("outdated", OUTDATED)
@pytest.mark.parametrize("scheduler", ["DDIM", "PNDM", "Heun", "LCM"])
def test_the_latents_equal_those_of_a_pipeline_with_the_models_own_scheduler(
    components: LoadedComponents, scheduler: str, outdated: str
) -> None:
    config = {**components.scheduler_config, "timestep_spacing": "leading"}
    del config["steps_offset"], config["clip_sample"]
    config |= OUTDATED[outdated]
    params = GenerationParams(
        prompt="a red apple", scheduler=scheduler, num_inference_steps=3, width=64, height=64
    )
    own = type(make_scheduler(scheduler, {})).from_config(config)
    pipeline = make_pipeline(components, own)
    expected = run_pipeline(pipeline, params, "latent")

    latents = final_latents(replace(components, scheduler_config=config), params)

    assert torch.equal(latents, expected)
