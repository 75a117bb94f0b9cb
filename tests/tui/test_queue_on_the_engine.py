"""The queue's screen on a real engine: what it shows is what the engine has on the disk."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator

import pytest

from sdtui.engine import launch
from sdtui.engine.client import stop_engine
from sdtui.tui.app import SdtuiApp
from sdtui.tui.screens.queue import QueueScreen
from tests.engine.processes import FAKE_ENGINE
from tests.engine.records import stored, unfinished
from tests.tui.stage import Stage, params


@pytest.fixture(autouse=True)
async def _fake_worker(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Engines that the interface starts have a FakeWorker; none stays."""
    monkeypatch.setattr(launch, "ENGINE_COMMAND", FAKE_ENGINE)
    yield
    await stop_engine(force=True)


async def test_the_queue_on_the_screen_survives_the_engine() -> None:
    app = SdtuiApp(None, params(prompt="pause=0.2", num_inference_steps=200))
    async with app.run_test(size=(100, 30)) as pilot:
        stage = Stage(app, None, pilot)  # type: ignore[arg-type]
        await stage.until_shown("engine ●")
        await stage.press("enter")
        await stage.until_shown("/200")
        app.main.panel.update("batch", 3)
        await stage.press("ctrl+g")
        await stage.until_shown("3 wait: F5 shows the queue")
        await stage.press("f5")
        await stage.until_shown("3 waiting")
        screen = app.screen
        assert isinstance(screen, QueueScreen)
        running, first, second, third = unfinished()
        await stage.press("end", "u", "u", "p")
        await stage.until_shown("queue 3 paused")
        await stage.until(lambda: screen.jobs.job and screen.jobs._position == 1)
        order = [running, third, first, second]
        assert unfinished() == order
        # The last but one is cancelled, and queued again behind all others.
        await stage.press("down", "x")
        await stage.until_shown("cancelled")
        await stage.press("end", "r")
        await stage.until(lambda: unfinished() == [running, third, second, first])

        client = app.main.bridge.client
        assert client is not None
        assert client.status is not None
        os.kill(client.status.pid, signal.SIGKILL)
        await stage.until_shown("lost")
        await stage.until_shown("queue 4 paused")
        await stage.until(lambda: len(screen.jobs._jobs) == 4)
        shown = [job.job_id for job in screen.jobs._jobs]
        assert shown == unfinished() == [running, third, second, first]
        await stage.press("p")
        await stage.until(lambda: stored(running).state == "running")
