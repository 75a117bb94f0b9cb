"""Several pictures wait: how that is said, and what the queue's screen does about it."""

from __future__ import annotations

import pytest

from sdtui.errors import EngineError
from sdtui.protocol.events import JobFailed, JobParked, ListedJob, QueueChanged
from sdtui.tui.queue_actions import QUEUE_ACTIONS
from sdtui.tui.screens.history import HistoryScreen
from sdtui.tui.screens.queue import QueueScreen
from tests.tui.fake_engine import FakeEngineClient, listed
from tests.tui.stage import Stage, opened, params


def held() -> FakeEngineClient:
    """An engine that holds every run at its twelfth step."""
    return FakeEngineClient(stop_after=12)


async def fill(stage: Stage, *, waiting: int = 3) -> None:
    """Let one job run and others wait, and go to the queue."""
    await stage.press("enter")
    await stage.until_shown("12/25")
    stage.main.panel.update("batch", waiting)
    await stage.press("ctrl+g")
    await stage.until_shown(f"queue {waiting}")
    await stage.press("f5")
    await stage.until(lambda: rows(stage), "the list")


def rows(stage: Stage) -> list[list[str]]:
    """State, place and what follows of every job in view, the chosen one marked by `›`."""
    states = ("running", "queued", "failed", "cancelled", "parked")
    lines = (line.strip("│ ").split() for line in stage.text.splitlines())
    return [line for line in lines if line and line[0].lstrip("›") in states]


def chosen(stage: Stage) -> str:
    assert isinstance(stage.app.screen, QueueScreen)
    job = stage.app.screen.jobs.job
    assert job is not None
    return job.job_id


def asked(stage: Stage, *kinds: str) -> list[tuple[object, ...]]:
    return [call for call in stage.engine.calls if call[0] in kinds]


async def test_enter_while_a_picture_is_made_lets_another_wait_and_says_so() -> None:
    async with opened(held(), start=params()) as stage:
        await stage.press("enter")
        await stage.until_shown("12/25")
        await stage.press("enter")
        await stage.until_shown("1 waits: F5 shows the queue")
        assert "queue 1" in stage.text
        assert "12/25" in stage.text, "the running picture stays in view"
        await stage.press("enter")
        await stage.until_shown("2 wait: F5 shows the queue")
        await stage.engine.cancel("job-1")
        await stage.until_shown("1 waits: F5 shows the queue")
        await stage.engine.cancel("job-2")
        await stage.until_shown("queue 0")
        assert "F5 shows the queue" not in stage.text
        await stage.until_shown("12/25")


async def test_a_batch_asks_for_following_seeds_at_once() -> None:
    async with opened(start=params()) as stage:
        stage.main.panel.show_field("batch")
        stage.main.panel.focus()
        await stage.press("right", "right", "ctrl+g")
        await stage.until(lambda: len(stage.engine.submitted()) == 3)
        assert [one.seed for one in stage.engine.submitted()] == [42, 43, 44]


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (160, 48)])
async def test_the_batch_has_a_line_of_its_own_at_every_size(size: tuple[int, int]) -> None:
    async with opened(size=size) as stage:
        stage.main.panel.show_field("batch")
        stage.main.panel.focus()
        await stage.until_shown("‹1›")
        for label in ("seed", "next seed", "batch", "width", "preview"):
            assert label in stage.text
        await stage.press("1", "0", "1")
        await stage.until_shown("must be from 1 to 100")


async def test_in_a_paused_queue_the_screen_says_why_nothing_begins() -> None:
    engine = held()
    engine._paused = True
    async with opened(engine, start=params()) as stage:
        await stage.press("enter")
        await stage.until_shown("1 waits, paused: F5 shows the queue")
        await stage.until_shown("waiting: the queue is paused")
        assert "queue 1 paused" in stage.text
        assert stage.app.unfinished_jobs == 0
        await stage.press("f5", "p")
        await stage.until(lambda: "paused" not in stage.text)
        await stage.press("escape")
        await stage.until_shown("12/25")


@pytest.mark.parametrize("key", ["f5", "q"])
async def test_the_queue_is_opened_and_left_by_the_same_keys(key: str) -> None:
    async with opened() as stage:
        await stage.press("tab", key)
        await stage.until(lambda: isinstance(stage.app.screen, QueueScreen))
        await stage.press(key)
        await stage.until(lambda: stage.app.screen is stage.main)
        assert not stage.main.bridge.watchers


async def test_queue_and_history_lead_to_each_other_and_straight_back() -> None:
    async with opened() as stage:
        await stage.press("tab", "f3")
        for keys in (("f5", "f3"), ("q", "h")):
            for key, screen in zip(keys, (QueueScreen, HistoryScreen), strict=True):
                await stage.press(key)
                await stage.until(lambda screen=screen: isinstance(stage.app.screen, screen))
                await stage.until(lambda: len(stage.main.bridge.watchers) == 1)
                assert len(stage.app.screen_stack) == 2
        await stage.press("ctrl+p")
        await stage.until_shown("Search")
        await stage.type("queue")
        await stage.until_shown("Go on to what runs and waits")
        await stage.press("enter", "enter")
        await stage.until(lambda: isinstance(stage.app.screen, QueueScreen))
        await stage.press("escape")
        await stage.until(lambda: stage.app.screen is stage.main)
        assert len(stage.app.screen_stack) == 1
        await stage.until(lambda: not stage.main.bridge.watchers)


async def test_an_empty_queue_says_so_and_how_to_fill_it() -> None:
    async with opened() as stage:
        await stage.press("f5")
        await stage.until_shown("Nothing waits.")
        assert "⏎ in the prompt lets a picture wait" in stage.text
        await stage.press("x", "u", "r")
        await stage.until_shown("there is no job")
        assert not asked(stage, "cancel", "move_up", "requeue")


async def test_the_list_shows_what_runs_and_what_waits_in_its_order() -> None:
    async with opened(held(), start=params()) as stage:
        await fill(stage)
        assert [row[:2] for row in rows(stage)] == [
            ["›running", "a"],
            ["queued", "1"],
            ["queued", "2"],
            ["queued", "3"],
        ]
        assert "128×128" in rows(stage)[0]
        assert "3 waiting" in stage.text
        stage.engine.finish()
        await stage.until(lambda: [row[0] for row in rows(stage)][1:] == ["queued", "queued"])


async def test_jobs_are_cancelled_one_after_the_other() -> None:
    async with opened(held(), start=params()) as stage:
        await fill(stage)
        await stage.press("down", "x")
        await stage.until(lambda: len(rows(stage)) == 4 and rows(stage)[3][0] == "cancelled")
        await stage.press("delete")
        await stage.until(lambda: rows(stage)[2][0] == "cancelled")
        assert asked(stage, "cancel") == [("cancel", "job-2"), ("cancel", "job-3")]
        await stage.press("home", "x")
        await stage.until(lambda: rows(stage)[0][0] == "›running" and len(rows(stage)) == 4)
        await stage.until(lambda: asked(stage, "cancel")[-1] == ("cancel", "job-1"))


async def test_a_moved_job_stays_the_chosen_one() -> None:
    async with opened(held(), start=params()) as stage:
        await fill(stage)
        await stage.press("end", "u")
        await stage.until(lambda: rows(stage)[2][0] == "›queued")
        assert chosen(stage) == "job-4"
        await stage.press("shift+up")
        await stage.until(lambda: rows(stage)[1][0] == "›queued")
        assert asked(stage, "move_up") == [("move_up", "job-4")] * 2


async def test_what_ended_tells_why_and_is_queued_again() -> None:
    failure = ("Out of memory", "2.1 GB are missing.", "Choose a smaller size.")
    engine = FakeEngineClient(stop_after=3, failure=failure)
    async with opened(engine, start=params()) as stage:
        await stage.press("enter")
        await stage.until_shown("Choose a smaller size")
        await stage.press("f5")
        await stage.until_shown("Out of memory. 2.1 GB are missing. Choose a smaller size.")
        assert rows(stage)[0][0] == "›failed"
        await stage.press("x")
        await stage.until_shown("this job is failed: it has ended")
        await stage.press("r")
        await stage.until(lambda: asked(stage, "requeue") == [("requeue", "job-1")])
        assert not asked(stage, "cancel")


async def test_what_does_not_apply_is_said_and_not_asked() -> None:
    async with opened(held(), start=params()) as stage:
        await fill(stage)
        await stage.press("u")
        await stage.until_shown("this job is running: it does not wait")
        await stage.press("r")
        await stage.until_shown("this job is running: it has not ended")
        await stage.press("down")
        await stage.until(lambda: "it has not ended" not in stage.text)
        await stage.press("r")
        await stage.until_shown("this job is queued: it has not ended")
        await stage.press("x")
        await stage.until(lambda: "it has not ended" not in stage.text)
        assert not asked(stage, "move_up", "requeue")


async def test_what_failed_or_was_cancelled_is_taken_off_the_list() -> None:
    async with opened(held(), start=params()) as stage:
        await fill(stage)
        await stage.press("c")
        await stage.until_shown("no job failed or was cancelled")
        await stage.press("C")
        await stage.until_shown("this job is running: cancel it first")
        assert not asked(stage, "clear_ended")
        await stage.press("down", "x", "x")
        await stage.until(lambda: [row[0] for row in rows(stage)].count("cancelled") == 2)
        await stage.press("end", "C")
        await stage.until(lambda: len(rows(stage)) == 3)
        await stage.press("c")
        await stage.until(lambda: [row[0] for row in rows(stage)] == ["running", "›queued"])
        assert asked(stage, "clear_ended") == [("clear_ended", "job-2"), ("clear_ended", None)]


async def test_a_parked_job_is_taken_off_the_list_only_when_it_is_chosen() -> None:
    async with opened() as stage:
        for end in (JobParked(job_id="a", title="Twice"), JobFailed(job_id="b", title="Wrong")):
            stage.engine._ended[end.job_id] = params(), end
        stage.engine._proceed()
        await stage.press("f5")
        await stage.until(lambda: len(rows(stage)) == 2)
        await stage.press("c")
        await stage.until(lambda: [row[0] for row in rows(stage)] == ["›parked"])
        await stage.press("c")
        await stage.until_shown("no job failed or was cancelled")
        await stage.press("C")
        await stage.until_shown("Nothing waits.")


async def test_the_queue_is_paused_and_goes_on() -> None:
    async with opened(held(), start=params()) as stage:
        await fill(stage)
        await stage.press("p")
        await stage.until_shown("paused: p lets it go on")
        await stage.until_shown("queue 3 paused")
        await stage.press("p")
        await stage.until(lambda: "paused" not in stage.text)
        assert asked(stage, "pause_queue", "resume_queue") == [("pause_queue",), ("resume_queue",)]


async def test_what_the_engine_refuses_is_said() -> None:
    engine = held()
    engine.refusal = EngineError("The history cannot be written", "disk full", "Make room.")
    async with opened(engine, start=params()) as stage:
        await fill(stage)
        await stage.press("p")
        await stage.until_shown("The history cannot be written")


async def test_a_lost_engine_is_said_and_its_queue_is_shown_again_when_it_is_back() -> None:
    async with opened(held(), start=params()) as stage:
        await fill(stage)

        async def refuse() -> FakeEngineClient:
            raise EngineError("The engine does not start", "", "")

        stage.main.bridge._connect = refuse
        stage.engine.lose()
        await stage.until_shown("The queue is shown when the engine is there.")
        await stage.press("x", "p")
        await stage.until_shown("the engine is not there")
        again = held()
        again._waiting = {"kept": params(prompt="a fox"), "other": params(prompt="a violin")}
        again.tell(again._queue_now())

        async def connect() -> FakeEngineClient:
            return again

        stage.main.bridge._connect = connect
        await stage.until_shown("a fox")
        assert "the engine is not there" not in stage.text
        await stage.press("down")
        await stage.until(lambda: chosen(stage) == "other")


async def test_a_thousand_jobs_are_walked_through_by_keys_and_wheel() -> None:
    async with opened() as stage:
        jobs = [listed(f"job-{i}", params(prompt=f"picture {i}"), "queued") for i in range(1000)]
        stage.engine.tell(QueueChanged(paused=False, jobs=jobs))
        await stage.press("f5")
        await stage.until_shown("picture 0 ")
        await stage.press("end")
        await stage.until_shown("picture 999")
        assert rows(stage)[-1][:2] == ["›queued", "1000"]
        await stage.press("pageup", "up")
        assert chosen(stage) != "job-999"
        await stage.press("home")
        await stage.until_shown("picture 0 ")
        await stage.pilot.click("#jobs", offset=(5, 3))
        assert chosen(stage) == "job-2"
        stage.engine.tell(QueueChanged(paused=False, jobs=jobs[:2]))
        await stage.until(lambda: len(rows(stage)) == 2)
        assert chosen(stage) == "job-1"


async def test_foreign_text_is_shown_harmlessly() -> None:
    hostile = "[/] [b]\x1b[2J\x1b]0;x\x07 \u202etxt"
    job = listed("one", params(prompt="x"), "failed", title=hostile, message=hostile)
    async with opened() as stage:
        values = {name: getattr(job, name) for name in job.__struct_fields__}
        values |= {"prompt": hostile, "model": hostile, "state": "failed"}
        stage.engine.tell(QueueChanged(paused=False, jobs=[ListedJob(**values)]))
        await stage.press("f5")
        await stage.until_shown("[/] [b]␛[2J␛]0;x␇")
        assert "\x1b" not in stage.text
        assert "\u202e" not in stage.text


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (100, 30), (160, 48), (300, 20)])
async def test_every_line_fits_its_width(size: tuple[int, int]) -> None:
    async with opened(held(), start=params(prompt="ａ red 🍎 " * 30)) as stage:
        await fill(stage)
        await stage.pilot.resize_terminal(*size)
        await stage.pilot.pause()
        assert isinstance(stage.app.screen, QueueScreen)
        jobs = stage.app.screen.jobs
        for y in range(jobs.size.height):
            assert jobs.render_line(y).cell_length == jobs.size.width


async def test_the_palette_offers_what_the_queues_footer_does() -> None:
    async with opened(held(), start=params(), size=(120, 50)) as stage:
        await fill(stage)
        for action in QUEUE_ACTIONS:
            assert f"{action.key} {action.name}" in stage.text
        await stage.press("ctrl+p")
        await stage.until_shown("Search")
        await stage.type("pause or resume")
        await stage.until_shown("Hold the waiting jobs back")
        await stage.press("enter", "enter")
        await stage.until(lambda: asked(stage, "pause_queue"))
