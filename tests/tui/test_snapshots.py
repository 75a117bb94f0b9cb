"""The whole screen, cell by cell: `pytest --snapshot-update` after a look at the new pictures."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from sdtui.protocol.events import QueueChanged
from sdtui.tui import cpu_share, pace
from sdtui.tui.app import SdtuiApp
from tests.tui.fake_engine import FakeEngineClient, idle_status, listed
from tests.tui.stage import Stage, params

SIZES = {"80x24": (80, 24), "160x48": (160, 48)}
THREE_BEATS = 0.15
"""Seconds, at 20 figures a second: one beat may be told what the next one paints."""
FAILURE = (
    "Out of memory",
    "The U-Net needed 2.1 GB more than the device has.",
    "Choose a smaller size, or close what else uses the device.",
)
QUEUE = QueueChanged(
    paused=True,
    jobs=[
        listed("1", params(prompt="a red apple on a blue background"), "running"),
        listed("2", params(prompt="a fox [/] in the snow", seed=4_294_967_295), "queued"),
        listed("3", params(prompt="a violin", width=512, height=768, seed=7), "queued"),
        listed("4", params(model="stable-diffusion-v1-5/stable-diffusion-v1-5"), "cancelled"),
        listed(
            *("5", params(prompt="a cactus in a small pot", num_inference_steps=200), "failed"),
            **dict(zip(("title", "message", "remedy"), FAILURE, strict=True)),
        ),
    ],
)
STATES: dict[str, tuple[dict[str, Any], list[str], str]] = {
    "empty": ({}, [], "fills one in"),
    "running": ({"stop_after": 12}, ["enter"], "12/25"),
    "done": ({}, ["enter"], "done in 1.3 s"),
    "failed": ({"stop_after": 3, "failure": FAILURE}, ["enter"], "Choose a smaller size"),
    "log": ({}, ["enter", "ctrl+l"], "done in 1.3 s"),
    "settings": ({}, ["tab", "tab", "end", "up", "1", "0", "0"], "height must be a multiple of"),
    "full": ({"stop_after": 12}, ["enter", "f2"], "fitted"),
    "zoomed": ({}, ["enter", "f2", "plus", "plus", "right", "up"], "zoom ×3"),
    "side by side": (
        {"stop_after": 12, "with_latents": True},
        ["enter", "f2", "s"],
        "x_t · step 12",
    ),
    "empty queue": ({}, ["f5"], "Nothing waits."),
}


@pytest.fixture(autouse=True)
def _pinned_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def screen(state: str, *, light: bool = False) -> tuple[SdtuiApp, Callable[[Pilot[None]], Any]]:
    """The application, and what brings it into `state` with nothing left to come."""
    engine_is, keys, shows = STATES[state]
    engine = FakeEngineClient(**engine_is)

    async def connect() -> FakeEngineClient:
        return engine

    start = None if state == "empty" else params(prompt="a red apple on a blue background")
    app = SdtuiApp(connect, start)

    async def prepare(pilot: Pilot[None]) -> None:
        stage = Stage(app, engine, pilot)
        app.main.panel.settings.values["seed"] = 42
        if light:
            app.action_toggle_theme()
        await stage.until_shown("ready")
        app.main._load_model()
        await stage.until_shown("model ready")
        await stage.until_shown("77")
        await stage.press(*keys)
        await stage.until_shown(shows)
        await pilot.pause(THREE_BEATS)

    return app, prepare


@pytest.fixture(autouse=True)
def figures_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the screen owes is on it when its picture is taken, whatever else has used the CPU."""
    monkeypatch.setattr(cpu_share, "LONGEST_WAIT_SECONDS", 0.0)
    monkeypatch.setattr(cpu_share, "SHORTEST_WAIT_SECONDS", 0.0)
    monkeypatch.setattr(pace, "FIGURES_PER_SECOND", 20)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("state", ["empty", "running", "done", "failed"])
def test_dark(snap_compare: Any, state: str, size: str) -> None:
    app, prepare = screen(state)
    assert snap_compare(app, terminal_size=SIZES[size], run_before=prepare)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("state", ["full", "zoomed", "side by side"])
def test_the_full_preview(snap_compare: Any, state: str, size: str) -> None:
    app, prepare = screen(state)
    assert snap_compare(app, terminal_size=SIZES[size], run_before=prepare)


@pytest.mark.parametrize(
    ("state", "size"), [("empty", "80x24"), ("running", "160x48"), ("log", "80x24")]
)
def test_light(snap_compare: Any, state: str, size: str) -> None:
    app, prepare = screen(state, light=True)
    assert snap_compare(app, terminal_size=SIZES[size], run_before=prepare)


def test_an_impossible_value_at_its_row(snap_compare: Any) -> None:
    app, prepare = screen("settings")
    assert snap_compare(app, terminal_size=(160, 48), run_before=prepare)


def test_the_smallest_screen(snap_compare: Any) -> None:
    app, prepare = screen("done")
    assert snap_compare(app, terminal_size=(60, 20), run_before=prepare)


def queue_screen(*, light: bool = False) -> tuple[SdtuiApp, Callable[[Pilot[None]], Any]]:
    """The queue's screen with a job in each state, the failed one chosen."""
    app, prepare = screen("running", light=light)

    async def go_on(pilot: Pilot[None]) -> None:
        await prepare(pilot)
        engine = app.main.bridge.client
        assert isinstance(engine, FakeEngineClient)
        engine.status = idle_status(state="running", running_job_id="1", queued=2, paused=True)
        engine.tell(engine.status, QUEUE)
        stage = Stage(app, engine, pilot)
        await stage.until_shown("queue 2 paused")
        await stage.press("f5", "end")
        await stage.until_shown("Choose a")

    return app, go_on


@pytest.mark.parametrize("size", SIZES)
def test_the_queue(snap_compare: Any, size: str) -> None:
    app, prepare = queue_screen()
    assert snap_compare(app, terminal_size=SIZES[size], run_before=prepare)


def test_the_queue_in_the_light(snap_compare: Any) -> None:
    app, prepare = queue_screen(light=True)
    assert snap_compare(app, terminal_size=(80, 24), run_before=prepare)


def test_the_queue_on_the_smallest_screen(snap_compare: Any) -> None:
    app, prepare = queue_screen()
    assert snap_compare(app, terminal_size=(60, 20), run_before=prepare)


def test_an_empty_queue(snap_compare: Any) -> None:
    app, prepare = screen("empty queue")
    assert snap_compare(app, terminal_size=(80, 24), run_before=prepare)
