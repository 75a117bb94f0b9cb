"""From the prompt to the picture: what Enter, Escape and the engine's events do on the screen."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from sdtui.errors import EngineError, ParameterError
from sdtui.protocol.events import ComponentLoading, StepCompleted, Trouble
from sdtui.tui import cpu_share, model_description
from sdtui.tui.messages import ModelDescribed
from sdtui.tui.model_description import ModelDescription, describe
from tests.tui.fake_engine import SAVED_PATH, FakeEngineClient, idle_status, past_pictures, step
from tests.tui.stage import Stage, opened, params


async def test_enter_in_the_prompt_makes_a_picture_of_it() -> None:
    async with opened() as stage:
        await stage.type("a red apple")
        await stage.press("enter")
        await stage.until_shown("done in")
        assert [submitted.prompt for submitted in stage.engine.submitted()] == ["a red apple"]
        frame = stage.main.run_view.preview.frame
        assert frame is not None
        assert (frame.width, frame.height) == (128, 128)
        assert f"saved {Path(SAVED_PATH).name}" in stage.text


async def test_device_and_precision_are_those_that_the_user_wants(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with opened(start=params()) as stage:
        await stage.main.bridge.submit(params())
        monkeypatch.setenv("SDTUI_DEVICE", "cuda:1")
        monkeypatch.setenv("SDTUI_DTYPE", "float32")
        await stage.main.bridge.submit(params())
        await stage.main.bridge.load_model("pocket")
        wanted = ("cuda:1", "float32")
        assert stage.engine.placements[-3:] == [("auto", "auto"), wanted, wanted]


async def test_a_relative_folder_is_the_same_to_an_engine_that_works_in_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    async with opened(start=params()) as stage:
        stage.main.panel.settings.set("model", "./mine")
        await stage.press("enter")
        await stage.until(lambda: bool(stage.engine.submitted()))
        assert [submitted.model for submitted in stage.engine.submitted()] == [
            str(tmp_path / "mine")
        ]
        await stage.main.bridge.load_model("mine")
        assert ("load_model", str(tmp_path / "mine")) in stage.engine.calls


async def test_a_model_that_is_loaded_gives_the_pane_back_to_the_invitation() -> None:
    async with opened() as stage:
        await stage.until_shown("Nothing drawn yet")
        stage.engine.tell(ComponentLoading(model="pocket", component="scheduler", index=4, count=5))
        await stage.until_shown("loading scheduler")
        await stage.engine.load_model("pocket")
        await stage.until_shown("Nothing drawn yet")
        assert "loading scheduler" not in stage.text


async def test_a_model_that_is_loaded_for_a_job_is_not_said_to_load_any_more() -> None:
    async with opened(FakeEngineClient(stop_after=0), start=params()) as stage:
        await stage.press("enter")
        await stage.until(lambda: stage.main.bridge.running)
        stage.engine.tell(ComponentLoading(model="pocket", component="scheduler", index=4, count=5))
        await stage.until_shown("5 of 5")
        await stage.engine.load_model("pocket")
        await stage.until(lambda: "5 of 5" not in stage.text)
        assert "starting" in stage.text
        assert "Nothing drawn yet" not in stage.text


async def test_the_log_tells_tokens_embeddings_latents_and_steps() -> None:
    start = params(num_inference_steps=5)
    async with opened(start=start, size=(160, 60)) as stage:
        await stage.press("f4", "enter")
        await stage.until_shown("5/5 ")
        for told in ("49406", "<|startoftext|>", "(1, 77, 160)", "(1, 4, 16, 16)"):
            assert told in stage.text


@pytest.mark.parametrize("key", ["shift+enter", "ctrl+j"])
async def test_two_keys_make_a_line_instead(key: str) -> None:
    async with opened() as stage:
        await stage.press("a", key, "b")
        assert stage.main.prompt.text == "a\nb"
        assert not stage.engine.submitted()


async def test_an_empty_prompt_is_answered_at_the_prompt() -> None:
    async with opened() as stage:
        await stage.press("enter")
        await stage.until_shown("is empty. Say what to draw")
        assert not stage.engine.submitted()
        await stage.press("a")
        await stage.until(lambda: "is empty" not in stage.text)


@pytest.mark.parametrize("keys", [("ctrl+n", *"blurry", "enter"), ("f2", "enter"), ("f2", "g")])
async def test_an_empty_prompt_that_is_not_in_view_is_brought_there(keys: tuple[str, ...]) -> None:
    async with opened() as stage:
        await stage.press(*keys)
        await stage.until_shown("is empty. Say what to draw")
        assert stage.app.focused is stage.main.prompt
        await stage.type("a fox")
        await stage.until_shown("a fox")


async def test_escape_stops_the_picture_and_keeps_its_last_preview() -> None:
    async with opened(FakeEngineClient(stop_after=12), start=params()) as stage:
        await stage.press("enter")
        await stage.until_shown("x0 at step 12")
        await stage.press("escape")
        await stage.until_shown("stopped at 12/25")
        assert ("cancel", "job-1") in stage.engine.calls
        assert stage.main.run_view.preview.frame is not None


async def test_escape_without_a_run_says_so() -> None:
    async with opened() as stage:
        await stage.press("escape")
        await stage.until_shown("nothing runs")
        assert not [call for call in stage.engine.calls if call[0] == "cancel"]


async def test_that_nothing_runs_is_said_no_longer_than_it_is_so() -> None:
    async with opened(FakeEngineClient(stop_after=12), start=params()) as stage:
        await stage.press("escape")
        await stage.until_shown("nothing runs")
        await stage.press("enter")
        await stage.until_shown("12/25")
        assert "nothing runs" not in stage.text


async def test_a_wrong_value_is_told_no_longer_than_it_stands() -> None:
    async with opened(start=params()) as stage:
        stage.main.panel.settings.values["width"] = 65
        await stage.press("enter")
        await stage.until_shown("width must be a multiple of 8")
        stage.main.panel.update("height", 64)
        await stage.pilot.pause()
        assert "width must be a multiple of 8" in stage.text
        stage.main.panel.update("width", 64)
        await stage.until(lambda: "multiple of 8" not in stage.text)


async def test_a_failure_says_what_happened_and_what_to_do() -> None:
    failure = ("Out of memory", "2.1 GB are missing.", "Choose a smaller size.")
    async with opened(FakeEngineClient(stop_after=3, failure=failure), start=params()) as stage:
        await stage.press("enter")
        for words in failure:
            await stage.until_shown(words)


async def test_events_of_another_job_do_not_reach_the_screen() -> None:
    async with opened(FakeEngineClient(stop_after=12), start=params()) as stage:
        await stage.press("enter")
        await stage.until_shown("12/25")
        await stage.until_shown("x0 at step 12")
        stage.engine.tell(*step("an-older-job", params(), 20), idle_status(queued=7))
        await stage.until_shown("queue 7")
        assert "12/25" in stage.text
        assert "x0 at step 12" in stage.text


async def test_previews_that_come_faster_than_they_are_shown_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every preview that is shown is answered by one credit, so that they never pile up."""
    # The cores' share leaves out more of them.
    monkeypatch.setattr(cpu_share, "LONGEST_WAIT_SECONDS", 0.0)
    async with opened(start=params(num_inference_steps=200)) as stage:
        await stage.press("enter")
        await stage.until_shown("done in")
        credits = [call for call in stage.engine.calls if call[0] == "grant_preview"]
        assert 2 <= len(credits) < 100


async def test_guidance_changed_during_a_run_reaches_the_engine_and_the_log() -> None:
    async with opened(FakeEngineClient(stop_after=12), start=params(), size=(160, 48)) as stage:
        await stage.press("enter")
        await stage.until_shown("x0 at step 12")
        stage.main.panel.show_field("guidance_scale")
        stage.main.panel.focus()
        await stage.press("right", "right")
        await stage.until(lambda: ("adjust", "job-1", 5.0) in stage.engine.calls)
        assert [call for call in stage.engine.calls if call[0] == "adjust"] == [
            ("adjust", "job-1", 5.0)
        ]
        await stage.until_shown("guidance 5 from step 13 on")


async def test_a_screen_that_comes_late_shows_the_run_from_its_first_token() -> None:
    engine = FakeEngineClient(stop_after=12)
    engine.run("begun-elsewhere", params(prompt="a fox", seed=7, num_inference_steps=20))
    async with opened(engine, size=(160, 60)) as stage:
        await stage.press("f4")
        await stage.until_shown("12/20")
        await stage.until_shown("49406")
        assert stage.main.prompt.text == "a fox"
        assert stage.main.panel.settings.values["seed"] == 7
        await stage.press("escape")
        await stage.until(lambda: ("cancel", "begun-elsewhere") in stage.engine.calls)


async def test_an_emptied_prompt_takes_over_nothing_of_the_job_that_waited() -> None:
    async with opened(FakeEngineClient(stop_after=12), start=params()) as stage:
        await stage.press("enter")
        await stage.until_shown("12/25")
        await stage.press("enter")
        await stage.until_shown("queue 1")
        await stage.press(*["backspace"] * len(params().prompt))
        stage.main.panel.update("width", 64)
        stage.engine.finish()
        await stage.until_shown("the last picture")
        assert stage.main.prompt.text == ""
        assert stage.main.panel.settings.values["width"] == 64


async def test_a_negative_prompt_that_is_being_written_stays_when_a_job_begins() -> None:
    async with opened(FakeEngineClient(stop_after=12)) as stage:
        await stage.press("ctrl+n", *"blurry")
        stage.engine.run("begun-elsewhere", params(prompt="a fox"))
        await stage.until_shown("12/25")
        assert stage.main.negative.text == "blurry"
        assert stage.main.prompt.text == ""


@pytest.mark.parametrize("end", ["done in 1.3", "stopped at 12/25", "failed"])
async def test_a_run_that_ended_unseen_is_shown_as_if_it_had_been_seen(end: str) -> None:
    engine = FakeEngineClient(
        stop_after=None if end.startswith("done") else 12,
        failure=("It went wrong", "", "Try again.") if end == "failed" else None,
    )
    engine.run("job-1", params())
    if end.startswith("stopped"):
        await engine.cancel("job-1")
    async with opened(engine) as stage:
        await stage.until_shown(end)
        # An idle engine may be asked for the model, which it has already.
        await stage.main.bridge.load_model("pocket")
        engine.tell(idle_status(queued=7))
        await stage.until_shown("queue 7")
        progress = stage.main.run_view.progress
        assert end in progress.words
        assert progress.part == pytest.approx(1.0 if end.startswith("done") else 12 / 25)
        assert ("It went wrong" in stage.text) == (end == "failed")
        assert not stage.main.run_view.preview.link.left_out
        assert "the last picture" not in stage.text


async def test_a_lost_engine_is_said_and_reached_again_with_the_prompt_kept() -> None:
    second = FakeEngineClient()
    async with opened(start=params()) as stage:

        async def connect() -> FakeEngineClient:
            return second

        stage.main.bridge._connect = connect
        stage.engine.lose()
        await stage.until_shown("lost")
        await stage.until_shown("ready")
        assert stage.main.prompt.text == "a red apple"
        await stage.press("enter")
        await stage.until(second.submitted)


async def test_a_run_asked_for_before_the_engine_is_there_starts_when_it_is() -> None:
    async with opened(start=params()) as stage:
        first = stage.engine

        async def refuse() -> FakeEngineClient:
            raise EngineError("The engine does not start", "", "")

        stage.main.bridge._connect = refuse
        first.lose()
        await stage.until_shown("lost")
        await stage.press("enter")
        await stage.until_shown("starts as soon as")
        again = FakeEngineClient(stop_after=12)

        async def connect() -> FakeEngineClient:
            return again

        stage.main.bridge._connect = connect
        await stage.until(lambda: again.submitted(), "the submission")
        await stage.until_shown("12/25")
        assert "starts as soon as" not in stage.text


async def test_the_engine_is_told_goodbye_and_the_run_is_left_alone() -> None:
    engine = FakeEngineClient(stop_after=12)
    async with opened(engine, start=params()) as stage:
        await stage.press("enter")
        await stage.until_shown("12/25")
        assert stage.app.unfinished_jobs == 1
        await stage.press("ctrl+q")
    assert ("close",) in engine.calls
    assert not [call for call in engine.calls if call[0] == "cancel"]


async def test_a_step_without_guidance_has_no_pull() -> None:
    async with opened(FakeEngineClient(stop_after=1), start=params(), size=(160, 48)) as stage:
        await stage.press("enter")
        await stage.until_shown("pull")
        unguided = StepCompleted(
            job_id="job-1",
            step_index=1,
            count=25,
            timestep=900.0,
            sigma=9.0,
            latents_mean=0.0,
            latents_std=1.0,
            guidance_scale=1.0,
            guidance_norm=None,
            seconds=0.04,
        )
        stage.engine.tell(unguided)
        await stage.until_shown("2/25")


async def test_an_engine_that_cannot_start_its_worker_says_so_until_it_can() -> None:
    async with opened(start=params()) as stage:
        trouble = Trouble(title="The worker cannot be started", remedy="See the log.")
        stage.engine.tell(idle_status(state="failing", model="", queued=2, trouble=trouble))
        await stage.until_shown("The worker cannot be started")
        assert "cannot start" in stage.text
        stage.main.post_message(ModelDescribed(describe("pocket")))
        await stage.pilot.pause(0.1)
        assert "See the log." in stage.text
        await stage.press("enter")
        await stage.until_shown("done in")


async def test_what_the_engine_refuses_is_said_where_it_was_asked_for() -> None:
    async with opened(FakeEngineClient(stop_after=3), start=params()) as stage:
        await stage.press("enter")
        await stage.until(lambda: stage.main.bridge.running is not None)
        stage.engine.refusal = ParameterError("job_id", "no job that runs or waits has it")
        await stage.press("escape")
        await stage.until_shown("too late: the job is in another state by now")

        stage.engine.refusal = EngineError("The history cannot be written", "disk full", "")
        stage.main.panel.update("guidance_scale", 9.0)
        await stage.until_shown("The history cannot be written. disk full")

        stage.engine.refusal = EngineError("The model is loaded later", "", "")
        stage.main.ask(stage.main.bridge.load_model("another"))
        await stage.until_shown("The model is loaded later")


@pytest.mark.parametrize("key", ["f1", "f3", "f5", "ctrl+p"])
async def test_previews_go_on_when_what_lay_over_them_is_gone(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu_share, "LONGEST_WAIT_SECONDS", 0.0)
    engine = FakeEngineClient(stop_after=5)
    async with opened(engine, start=params()) as stage:
        await stage.press("enter")
        await stage.until_shown("x0 at step 5")
        await stage.press(key)
        await stage.until(lambda: stage.app.screen is not stage.main)
        for index in range(5, 10):
            engine.tell(*step(stage.main.bridge.running, params(), index))
            await stage.pilot.pause(0.05)
        await stage.press("escape")
        await stage.until_shown("x0 at step 10")
        answered = engine.calls.count(("grant_preview",))
        engine.tell(*step(stage.main.bridge.running, params(), 10))
        await stage.until_shown("x0 at step 11")
        await stage.until(lambda: engine.calls.count(("grant_preview",)) > answered)


def stop_engine(stage: Stage) -> list[str]:
    """Have the engine say that it ends, and end; how another one is looked for from then on."""
    looked: list[str] = []
    again = FakeEngineClient()

    async def connect() -> FakeEngineClient:
        looked.append("start")
        return again

    async def find() -> FakeEngineClient | None:
        looked.append("find")
        return None

    stage.main.bridge._connect, stage.main.bridge._find = connect, find
    stage.engine.status = idle_status(state="stopping")
    stage.engine.tell(stage.engine.status)
    stage.engine.lose()
    stage.engine = again
    return looked


async def test_an_engine_that_was_stopped_stays_so_until_something_is_asked_for() -> None:
    async with opened(start=params(), size=(100, 30)) as stage:
        looked = stop_engine(stage)
        await stage.until_shown("engine ○ stopped: ⏎ starts it")
        assert "no model loaded" in stage.text
        await stage.until(lambda: looked, "another look")
        assert "start" not in looked
        await stage.press("enter")
        await stage.until(stage.engine.submitted)
        await stage.until_shown("done in")


async def test_enter_starts_a_stopped_engine_also_where_no_picture_can_be_asked_for() -> None:
    async with opened(size=(100, 30)) as stage:
        looked = stop_engine(stage)
        await stage.until_shown("engine ○ stopped: ⏎ starts it")
        await stage.press("enter")
        await stage.until_shown("is empty. Say what to draw")
        await stage.until_shown("ready")
        assert "start" in looked


async def test_all_that_is_asked_for_before_the_engine_is_there_is_made_in_that_order() -> None:
    async with opened() as stage:
        stop_engine(stage)
        await stage.until_shown("stopped")
        can_start = asyncio.Event()

        async def connect() -> FakeEngineClient:
            await can_start.wait()
            return stage.engine

        stage.main.bridge._connect = connect
        for prompt in "abcd":
            stage.main.prompt.replace_text(prompt)
            await stage.press("enter")
        await stage.press("escape")
        await stage.until_shown("3 still asked for")
        can_start.set()
        await stage.until(lambda: len(stage.engine.submitted()) == 3)
        assert [asked.prompt for asked in stage.engine.submitted()] == ["a", "b", "c"]


async def test_what_the_history_asks_for_again_starts_no_engine_that_was_stopped() -> None:
    engine = FakeEngineClient(pictures=past_pictures(2))
    async with opened(engine, start=params(), size=(120, 40)) as stage:
        await stage.press("f3")
        await stage.until_shown("history ·")
        looked = stop_engine(stage)
        await stage.until_shown("engine ○ stopped")
        await stage.press("r")
        await stage.until_shown("The engine is not there")
        before = len(looked)
        await stage.until(lambda: len(looked) > before, "another look")
        assert "start" not in looked


async def test_a_model_that_is_chosen_starts_an_engine_that_was_stopped() -> None:
    async with opened(start=params()) as stage:
        looked = stop_engine(stage)
        await stage.until_shown("stopped")
        stage.main.ask(stage.main.bridge.load_model("pocket"))
        await stage.until_shown("ready")
        assert "start" in looked


async def test_an_engine_that_others_start_is_found() -> None:
    async with opened() as stage:
        stop_engine(stage)
        others = FakeEngineClient(stop_after=12)
        others.run("job-1", params())

        async def find() -> FakeEngineClient:
            return others

        stage.main.bridge._find = find
        await stage.until_shown("12/25")


async def test_the_picture_that_a_stopped_engine_was_making_is_said_to_be_kept() -> None:
    async with opened(FakeEngineClient(stop_after=12), start=params(), size=(100, 30)) as stage:
        await stage.press("enter")
        await stage.until_shown("12/25")
        looked = stop_engine(stage)
        await stage.until_shown("The engine was stopped")
        await stage.press("f5")
        await stage.until_shown("engine ○ stopped")
        assert "start" not in looked


@pytest.fixture
def _another_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """One named mine, which draws 512 by 512 pixels and counts as pocket does."""
    pocket = describe("pocket")
    mine = replace(pocket, model="mine", native_size=(512, 512), native_guidance=7.5)
    monkeypatch.setattr(
        "sdtui.tui.model_description.describe",
        lambda model: mine if model == "mine" else pocket,
    )


@pytest.mark.usefixtures("_another_model")
async def test_an_untouched_screen_begins_with_the_model_that_the_engine_holds() -> None:
    engine = FakeEngineClient(status=idle_status(model="mine"))
    async with opened(engine, size=(100, 30)) as stage:
        await stage.until_shown("512 px")
        values = stage.main.panel.settings.values
        assert (values["model"], values["guidance_scale"]) == ("mine", 7.5)
        await stage.type("a fox")
        await stage.press("enter")
        await stage.until(engine.submitted)
        assert engine.submitted()[0].model == "mine"
        assert not [call for call in engine.calls if call[0] == "load_model"]


@pytest.mark.parametrize("runs", [False, True])
@pytest.mark.usefixtures("_another_model")
async def test_that_model_comes_with_what_suits_it_also_where_a_prompt_is_begun_meanwhile(
    monkeypatch: pytest.MonkeyPatch, runs: bool
) -> None:
    can_be_read = Event()
    read = model_description.describe

    def describe_late(model: str) -> ModelDescription:
        if model == "mine":
            can_be_read.wait()
        return read(model)

    monkeypatch.setattr(model_description, "describe", describe_late)
    engine = FakeEngineClient(status=idle_status(model="mine"), stop_after=12)
    async with opened(engine, size=(100, 30)) as stage:
        values = stage.main.panel.settings.values
        try:
            await stage.type("a")
            assert (values["model"], values["width"]) == ("pocket", 128)
            if runs:
                engine.run("begun-elsewhere", params(model="mine"))
                await stage.until_shown("12/25")
        finally:
            can_be_read.set()
        await stage.until_shown("512 px")
        assert stage.main.prompt.text == "a"
        assert (values["model"], values["width"], values["guidance_scale"]) == ("mine", 512, 7.5)


@pytest.mark.usefixtures("_another_model")
async def test_what_was_asked_for_elsewhere_has_its_own_settings_beside_that_model() -> None:
    engine = FakeEngineClient(status=idle_status(model="mine"))
    engine.run("job-1", params(model="mine", width=256, height=768))
    async with opened(engine, size=(100, 30)) as stage:
        await stage.until_shown("done in")
        await stage.until_shown("768 px")
        values = stage.main.panel.settings.values
        assert (values["model"], values["width"], values["height"]) == ("mine", 256, 768)


async def test_a_model_is_loaded_only_where_none_is_or_is_about_to_be() -> None:
    for status, loads in (
        (idle_status(model="mine"), False),
        (idle_status(model="", state="loading"), False),
        (idle_status(model=""), True),
    ):
        engine = FakeEngineClient(status=status)
        engine.tell(idle_status())
        async with opened(engine, start=params()) as stage:
            await stage.until(lambda engine=engine: ("grant_preview",) in engine.calls)
            await stage.pilot.pause()
            asked = [call for call in engine.calls if call[0] == "load_model"]
            assert asked == ([("load_model", "pocket")] if loads else [])
