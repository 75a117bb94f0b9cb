"""Every action is in the bindings, the palette and the help under one name."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from sdtui.tui.actions import ACTIONS, Action
from sdtui.tui.app import SdtuiApp
from sdtui.tui.history_actions import HISTORY_ACTIONS
from sdtui.tui.preview_actions import PREVIEW_ACTIONS
from sdtui.tui.queue_actions import QUEUE_ACTIONS
from sdtui.tui.screens.help import HelpScreen
from tests.tui.fake_engine import FakeEngineClient, past_pictures
from tests.tui.stage import Stage, opened, params


@pytest.mark.parametrize("actions", [ACTIONS, PREVIEW_ACTIONS, HISTORY_ACTIONS, QUEUE_ACTIONS])
def test_no_key_does_two_things(actions: tuple[Action, ...]) -> None:
    keys = Counter(key for action in actions for key in action.keys)
    assert [key for key, count in keys.items() if count > 1] == []


def test_a_screens_own_keys_are_none_of_the_whole_applications() -> None:
    everywhere = {
        key for action in ACTIONS if action.target.startswith("app.") for key in action.keys
    }
    assert not everywhere & {key for action in QUEUE_ACTIONS for key in action.keys}


def test_what_a_terminal_may_steal_has_a_second_way() -> None:
    for action in (*ACTIONS, *PREVIEW_ACTIONS, *HISTORY_ACTIONS, *QUEUE_ACTIONS):
        stolen = [key for key in action.keys if key.startswith(("f1", "f2", "f4", "f8", "f9"))]
        if stolen:
            assert len(action.keys) > len(stolen), action.name


async def test_the_help_lists_every_action() -> None:
    async with opened(size=(120, 100)) as stage:
        await stage.press("f1")
        assert isinstance(stage.app.screen, HelpScreen)
        for action in (*ACTIONS, *PREVIEW_ACTIONS, *HISTORY_ACTIONS, *QUEUE_ACTIONS):
            assert action.help in stage.text
        await stage.press("escape")
        assert stage.app.screen is stage.main


async def test_a_question_mark_outside_of_a_prompt_is_help_and_inside_is_text() -> None:
    async with opened() as stage:
        await stage.press("question_mark")
        assert stage.main.prompt.text == "?"
        await stage.press("tab", "question_mark")
        assert isinstance(stage.app.screen, HelpScreen)


async def test_the_palette_does_what_the_footer_names() -> None:
    async with opened(start=params(), size=(120, 50)) as stage:
        await stage.press("ctrl+p")
        await stage.until_shown("Search")
        await stage.type("generate")
        await stage.until_shown("Make a picture of the prompt")
        await stage.press("enter", "enter")
        await stage.until(stage.engine.submitted)


async def test_every_action_can_be_run_at_once() -> None:
    """None of them needs a picture, a run or an engine to be there."""
    async with opened(size=(100, 30)) as stage:
        for action in ACTIONS:
            owner = stage.main if action.target.startswith("screen.") else stage.app
            await stage.app.run_action(action.target, owner)
            await stage.pilot.pause()
        assert stage.app._exit


async def test_ctrl_c_asks_once_and_leaves_the_second_time() -> None:
    async with opened(start=params()) as stage:
        await stage.press("ctrl+c")
        await stage.until_shown("^c again leaves")
        assert stage.app.is_running
        await stage.press("ctrl+c")
        await stage.until(lambda: stage.app._exit)


async def test_the_renderer_changes_with_a_key_also_while_text_is_typed() -> None:
    async with opened() as stage:
        await stage.press("f12")
        await stage.until_shown("pictures as half")
        await stage.press("f12")
        await stage.until_shown("pictures as quadrant")


@asynccontextmanager
async def with_screen(name: str) -> AsyncIterator[Stage]:
    """The application with another screen above the main one."""
    ways = {
        "help": ["f1"],
        "palette": ["ctrl+p"],
        "history": ["f3"],
        "question": ["f3", "delete"],
        "queue": ["f5"],
        "too small": [],
    }
    async with opened(FakeEngineClient(pictures=past_pictures(2))) as stage:
        for key in ways[name]:
            await stage.press(key)
            if key == "f3":
                await stage.until_shown("2 pictures")
        if name == "too small":
            await stage.pilot.resize_terminal(50, 15)
        await stage.until(lambda: len(stage.app.screen_stack) > 1 + (name == "question"))
        yield stage


SCREENS = ["help", "palette", "history", "question", "queue", "too small"]


@pytest.mark.parametrize("name", SCREENS)
async def test_every_screen_can_be_left_to_the_shell(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    suspended: list[str] = []
    monkeypatch.setattr(SdtuiApp, "action_suspend_process", lambda _: suspended.append(name))
    async with with_screen(name) as stage:
        await stage.press("ctrl+z")
        await stage.until(lambda: suspended)
        await stage.press("ctrl+q")
        await stage.until(lambda: stage.app._exit)


@pytest.mark.parametrize("name", SCREENS)
async def test_ctrl_c_leaves_no_screen_without_having_been_heard(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sdtui.tui.app._SECOND_CTRL_C_SECONDS", 600)
    async with with_screen(name) as stage:
        above = stage.app.screen
        await stage.press("ctrl+c")
        await stage.until_shown("^c again leaves")
        assert "stops the picture" not in stage.text
        assert stage.app.screen is above
        await stage.press("ctrl+c")
        await stage.until(lambda: stage.app._exit)


async def test_ctrl_c_copies_what_is_selected() -> None:
    async with with_screen("palette") as stage:
        await stage.press(*"queue", "shift+home", "ctrl+c")
        await stage.until(lambda: stage.app.clipboard == "queue")
        await stage.until_shown("copied, ^q leaves")
        await stage.press("ctrl+c")
        await stage.pilot.pause()
        assert not stage.app._exit
        assert "again leaves" not in stage.text
