"""The line that says how far a job has come, on a terminal's stderr."""

from __future__ import annotations

import re
import sys
from io import StringIO

import msgspec
import pytest

from sdtui.commands.progress_line import ProgressLine
from sdtui.params import GenerationParams
from sdtui.protocol.events import DenoisingStarted, StepCompleted
from tests.tui.fake_engine import step

PARAMS = GenerationParams(prompt="x", num_inference_steps=4)


class FakeTerminal(StringIO):
    """A terminal that keeps what it is sent."""

    def isatty(self) -> bool:
        """So it says."""
        return True


@pytest.mark.parametrize("clock", [1.0, 1.0 - 3600])
def test_the_rate_is_that_of_the_steps_whatever_the_clock_says(
    monkeypatch: pytest.MonkeyPatch, clock: float
) -> None:
    terminal = FakeTerminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    with ProgressLine() as line:
        line.show(
            DenoisingStarted(
                job_id="1",
                time=1.0,
                scheduler="DDIM",
                prediction_type="epsilon",
                guidance_scale=7.5,
                timesteps=[4.0, 3.0, 2.0, 1.0],
                sigmas=[4.0, 3.0, 2.0, 1.0],
            )
        )
        for index in range(4):
            figures, _ = step("1", PARAMS, index)
            assert isinstance(figures, StepCompleted)
            line.show(
                msgspec.structs.replace(figures, time=clock, seconds=0.15, preview_seconds=0.05)
            )
    assert re.findall(r"[\d.]+ it/s", terminal.getvalue())[-1] == "5.0 it/s"
