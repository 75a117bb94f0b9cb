"""What comes in one piece is acted upon key by key: a key that moves the focus comes first."""

from __future__ import annotations

import pytest
from textual import events

from sdtui.tui.app import SdtuiApp
from sdtui.tui.screens.history import HistoryScreen
from sdtui.tui.screens.question import Question
from tests.tui.fake_engine import FakeEngineClient, past_pictures
from tests.tui.stage import Stage, opened, params

SIZES = [(80, 24), (160, 48)]


def send(stage: Stage, *keys: str) -> None:
    """Keys that have all come before the first of them is looked at."""
    for key in keys:
        named = "space" if key == " " else key
        stage.app.post_message(events.Key(named, key if len(key) == 1 else None))


async def test_what_follows_the_key_of_the_search_is_searched_for() -> None:
    engine = FakeEngineClient(pictures=past_pictures(3))
    async with opened(engine, start=params()) as stage:
        await stage.press("f3")
        await stage.until_shown("history ·")
        history = stage.app.screen
        assert isinstance(history, HistoryScreen)
        send(stage, "slash", *"dry")
        await stage.until(lambda: history.search.value == "dry")
        assert not isinstance(stage.app.screen, Question)
        assert not engine.submitted()


@pytest.mark.parametrize("size", SIZES)
async def test_what_follows_the_key_of_the_negative_prompt_is_written_there(
    size: tuple[int, int],
) -> None:
    async with opened(start=params(prompt="a cat"), size=size) as stage:
        send(stage, "ctrl+n", *"leaf")
        await stage.until(lambda: stage.main.negative.text == "leaf")
        assert stage.main.prompt.text == "a cat"


@pytest.mark.parametrize("size", SIZES)
async def test_a_letter_that_leaves_the_settings_takes_the_rest_along(
    size: tuple[int, int],
) -> None:
    async with opened(start=params(), size=size) as stage:
        stage.main.set_focus(stage.main.panel)
        send(stage, *"nan")
        await stage.until(lambda: stage.main.negative.text == "an")


async def test_an_example_is_there_to_be_written_on() -> None:
    async with opened(start=params()) as stage:
        stage.main.set_focus(stage.main.panel)
        send(stage, "t", *"dog")
        await stage.until(lambda: stage.main.prompt.text.endswith("dog"))
        assert stage.main.prompt.text != "a red appledog"


async def test_a_paste_stays_behind_the_key_before_it() -> None:
    async with opened(start=params(prompt="a cat")) as stage:
        send(stage, "ctrl+n")
        stage.app.post_message(events.Paste("leaf"))
        await stage.until(lambda: stage.main.negative.text == "leaf")
        assert stage.main.prompt.text == "a cat"


async def test_what_is_typed_in_one_widget_keeps_its_order() -> None:
    text = "the quick brown fox " * 5
    async with opened() as stage:
        send(stage, *text)
        await stage.until(lambda: stage.main.prompt.text == text)


async def test_a_key_whose_widget_goes_away_holds_up_no_other() -> None:
    async with opened() as stage:
        await stage.press("f1")
        await stage.until(lambda: stage.app.screen is not stage.main)
        send(stage, "escape", *"abc")
        await stage.until(lambda: stage.main.prompt.text == "abc")


async def test_what_was_typed_while_the_program_started_is_in_the_prompt() -> None:
    engine = FakeEngineClient()

    async def connect() -> FakeEngineClient:
        return engine

    app = SdtuiApp(connect)
    for key in "a fox":
        app.post_message(events.Key("space" if key == " " else key, key))
    async with app.run_test() as pilot:
        stage = Stage(app, engine, pilot)
        await stage.until(lambda: app.main.is_filled)
        await stage.until(lambda: app.main.prompt.text == "a fox")
