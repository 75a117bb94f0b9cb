"""Two curves over the steps: what is drawn of figures that a schedule may really have."""

from __future__ import annotations

import math

from textual.app import App

from sdtui.protocol.events import DenoisingStarted, StepCompleted
from sdtui.tui.widgets.curves import Curves

WIDTH = 20


async def test_a_run_that_starts_at_pure_noise_falls_from_the_top_of_its_curve(
    stage: type[App[None]],
) -> None:
    sigmas = [math.inf, 40.0, 5.0, 0.1]
    curves = Curves()
    async with stage(curves).run_test(size=(WIDTH, 20)):
        curves.show(
            DenoisingStarted(
                job_id="j",
                scheduler="DDIM",
                prediction_type="v_prediction",
                guidance_scale=7.5,
                timesteps=[999.0, 749.0, 499.0, 249.0],
                sigmas=sigmas,
            )
        )
        curves.show(
            StepCompleted(
                job_id="j",
                step_index=0,
                count=4,
                timestep=999.0,
                sigma=sigmas[0],
                latents_mean=0.0,
                latents_std=1.0,
                guidance_scale=7.5,
                guidance_norm=3.0,
                seconds=0.1,
            )
        )

        heading, top, second, _, bottom, *_ = curves.render().plain.splitlines()

    assert heading == f"noise σ{'inf':>{WIDTH - 7}}"
    assert top == "█" * 5 + " " * 15
    assert second[5] not in " █"
    assert bottom == "█" * 15 + "▁" * 5
