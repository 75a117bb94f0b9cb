"""The status line says what is loaded and how the engine is, in words."""

from __future__ import annotations

import pytest
from textual.app import App

from sdtui.protocol.events import ComponentLoading, EngineStatus, ModelLoaded
from sdtui.tui.widgets.status_bar import StatusBar

Stage = type[App[None]]


def status(state: str, **changes: object) -> EngineStatus:
    return EngineStatus(state=state, version="0", pid=1, **changes)  # type: ignore[arg-type]


def line(bar: StatusBar) -> str:
    return bar.render().plain


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("starting", "engine ○ starting"),
        ("idle", "engine ● ready"),
        ("loading", "engine ○ loading"),
        ("running", "engine ● running"),
        ("restarting", "engine ○ restarting"),
        ("failing", "engine × cannot start"),
        ("waiting for disk", "engine × waiting for disk"),
        ("stopping", "engine ○ stopping"),
    ],
)
async def test_every_state_has_its_word(stage: Stage, state: str, said: str) -> None:
    bar = StatusBar()
    async with stage(bar).run_test():
        bar.show(status(state))

        assert said in line(bar)


async def test_the_loaded_model_its_device_and_dtype_stand_on_the_left(stage: Stage) -> None:
    bar = StatusBar()
    async with stage(bar).run_test():
        assert "no model loaded" in line(bar)

        bar.show(status("idle", model="pocket", device="cpu", dtype="float32", queued=3))

        assert line(bar).startswith(" sdtui   pocket · cpu · fp32 ")
        assert line(bar).endswith("queue 3 ")


async def test_a_note_about_how_things_are_changes_with_them_and_ends_when_it_is_over(
    stage: Stage,
) -> None:
    bar = StatusBar()
    waiting = ["2 wait", "1 waits", "", "3 wait"]
    async with stage(bar).run_test() as pilot:
        bar.note(lambda: waiting[0])
        for words in ("2 wait", "1 waits"):
            bar.show(status("running"))
            assert line(bar).startswith(f" {words} ")
            waiting.pop(0)
        bar.show(status("idle"))
        assert line(bar).startswith(" sdtui ")
        waiting.pop(0)
        bar.show(status("running"))
        assert line(bar).startswith(" sdtui "), "what ended does not begin again"

        bar.note(lambda: waiting[-1], seconds=0.01)
        assert line(bar).startswith(" 3 wait ")
        await pilot.pause(0.1)
        assert line(bar).startswith(" sdtui "), "no note stays for long"
        bar.show(status("idle"))
        assert line(bar).startswith(" sdtui ")


async def test_a_paused_queue_is_said(stage: Stage) -> None:
    bar = StatusBar()
    async with stage(bar).run_test():
        bar.show(status("idle", queued=3, paused=True))
        assert line(bar).endswith("queue 3 paused ")

        bar.show(status("running", queued=2))
        assert line(bar).endswith("queue 2 ")


async def test_loading_names_the_component_until_it_is_over(stage: Stage) -> None:
    bar = StatusBar()
    async with stage(bar).run_test():
        bar.show(status("loading"))
        bar.show(ComponentLoading(model="pocket", component="unet", index=2, count=5))
        assert "loading unet" in line(bar)

        bar.show(
            ModelLoaded(
                model="pocket",
                device="cuda",
                device_name="Some GPU",
                dtype="float16",
                parameters=1,
                size=1,
                memory=1,
                seconds=1.0,
            )
        )
        bar.show(status("idle", model="pocket", device="cuda", dtype="float16"))
        assert "pocket · cuda · fp16" in line(bar)
        assert "engine ● ready" in line(bar)


async def test_a_lost_engine_is_said_with_what_is_being_done(stage: Stage) -> None:
    bar = StatusBar()
    async with stage(bar).run_test():
        bar.show(status("running"))
        bar.show_lost("trying again")

        assert "engine × lost: trying again" in line(bar)

        bar.show(status("idle"))
        assert "lost" not in line(bar)


async def test_a_note_is_shown_for_its_time_and_gives_way(stage: Stage) -> None:
    bar = StatusBar()
    async with stage(bar).run_test() as pilot:
        bar.note("saved [/] \x1b[2J~/pictures/x.png", seconds=0.05)
        assert "saved [/] ␛[2J~/pictures/x.png" in line(bar)

        while "saved" in line(bar):
            await pilot.pause(0.02)
        assert "sdtui" in line(bar)


async def test_a_long_note_has_the_whole_line_for_its_time(stage: Stage) -> None:
    bar = StatusBar()
    path = "pictures/2026-01-02/0007-a-red-apple-on-a-blue-background-42.png"
    async with stage(bar).run_test(size=(80, 3)) as pilot:
        bar.show(status("idle", model="pocket", device="cpu", dtype="float32"))
        bar.note(f"copied {path}", seconds=0.05)
        assert line(bar) == f" copied {path}"
        while "copied" in line(bar):
            await pilot.pause(0.02)
        assert "engine ● ready" in line(bar)

        bar.note("x" * 100)
        assert line(bar) == f" {'x' * 78}…"

        bar.show_lost("trying again")
        assert "xx… " in line(bar)
        assert "engine × lost: trying again" in line(bar)


@pytest.mark.parametrize("width", [20, 40, 80, 100, 160])
async def test_the_line_fills_its_width_and_the_state_stays_still(stage: Stage, width: int) -> None:
    bar = StatusBar()
    async with stage(bar).run_test(size=(width, 5)):
        places = set()
        for state in ("idle", "running", "restarting"):
            bar.show(status(state, model="a-model-with-a-long-name" * 3))
            if width >= 40:
                assert len(line(bar)) == width
            places.add(line(bar).index("engine"))

        assert len(places) == 1 or width < 100


@pytest.mark.parametrize(("width", "shown"), [(120, True), (60, False)])
async def test_the_link_is_told_where_there_is_room(stage: Stage, width: int, shown: bool) -> None:
    bar = StatusBar()
    async with stage(bar).run_test(size=(width, 3)):
        bar.show(status("running", model="pocket", device="cpu", dtype="float32"))
        bar.show_link(lambda: "half (auto)  12 frames/s  18.0 kB/s")

        assert ("12 frames/s" in line(bar)) is shown
        assert "pocket" in line(bar)
        assert "engine ● running" in line(bar)
