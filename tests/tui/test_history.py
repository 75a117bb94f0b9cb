"""The history's screen: finding past pictures, and what can be done with them."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from textual import events

from sdtui.protocol.gallery import PAGE_PICTURES, GalleryPicture
from sdtui.tui.screens.history import HistoryScreen
from sdtui.tui.screens.question import Question
from tests.terminal import Terminal
from tests.tui.fake_engine import FakeEngineClient, idle_status, past_pictures
from tests.tui.stage import Stage, opened, params

HOSTILE = "a [red]fox[/] [/nope] [@click=app.quit]x \x1b]52;c;aGk=\x07 \x9b31m \u202eevil"


@asynccontextmanager
async def history(
    pictures: list[GalleryPicture], *, size: tuple[int, int] = (120, 40)
) -> AsyncIterator[Stage]:
    """The history of these pictures, opened by its key and loaded."""
    async with opened(FakeEngineClient(pictures=pictures), start=params(), size=size) as stage:
        await stage.press("f3")
        await stage.until_shown("history ·")
        yield stage


def screen(stage: Stage) -> HistoryScreen:
    assert isinstance(stage.app.screen, HistoryScreen)
    return stage.app.screen


def chosen(stage: Stage) -> GalleryPicture:
    picture = screen(stage).pictures.picture
    assert picture is not None
    return picture


async def test_the_newest_picture_is_chosen_and_shown_with_all_its_parameters() -> None:
    pictures = past_pictures(3, path="/pictures/fox.png")
    async with history(pictures) as stage:
        await stage.until_shown("/pictures/fox.png")
        for shown in (
            "3 pictures",
            "seed 42 · 128×128 · 25 UniPC",
            "guidance   4",
            "took       1.3 s",
        ):
            assert shown in stage.text
        await stage.press("down")
        await stage.until_shown("without  blurry")
        assert chosen(stage) == pictures[1]


async def test_enter_loads_the_parameters_with_the_seed_but_not_how_often_to_preview() -> None:
    pictures = past_pictures(2)
    async with history(pictures) as stage:
        await stage.press("down", "enter")
        await stage.until(lambda: stage.app.screen is stage.main)
        assert stage.main.prompt.text == "a fox"
        assert stage.main.negative.text == "blurry"
        await stage.press("enter")
        await stage.until(stage.engine.submitted)
        asked = stage.engine.submitted()[0]
        assert (asked.seed, asked.width, asked.height) == (43, 192, 128)
        assert asked.preview_every == 1


async def test_r_makes_the_picture_again_just_so_and_stays() -> None:
    async with history(past_pictures(2)) as stage:
        await stage.press("r")
        await stage.until_shown("asked for again: a red apple")
        (asked,) = stage.engine.submitted()
        assert (asked.seed, asked.prompt) == (42, "a red apple on a blue background")
        assert isinstance(stage.app.screen, HistoryScreen)


async def test_a_picture_that_is_saved_meanwhile_comes_in_and_the_choice_stays() -> None:
    pictures = past_pictures(3)
    async with history(pictures[1:]) as stage:
        await stage.press("down")
        stage.engine.pictures.insert(0, pictures[0])
        await stage.press("r")
        await stage.until_shown("3 pictures")
        await stage.until(lambda: screen(stage).pictures.picture == pictures[2])
        await stage.until_shown("a red apple on a blue background")


async def test_a_picture_that_is_saved_meanwhile_leaves_the_focus_where_it_is() -> None:
    pictures = past_pictures(3)
    async with history(pictures[1:]) as stage:
        await stage.press("tab")
        assert stage.app.focused is screen(stage).details
        stage.engine.pictures.insert(0, pictures[0])
        await stage.press("r")
        await stage.until_shown("3 pictures")
        await stage.pilot.pause()
        assert stage.app.focused is screen(stage).details


async def test_words_are_searched_while_they_are_typed() -> None:
    async with history(past_pictures(8)) as stage:
        await stage.press("slash")
        await stage.type("ca")
        await stage.until_shown("2 pictures")
        assert "a fox" not in stage.text
        await stage.press("enter", "down")
        assert chosen(stage).params.prompt == "a cactus in a small pot"
        await stage.press("slash", "escape")
        await stage.until_shown("8 pictures")
        assert screen(stage).search.value == ""
        await stage.press("slash")
        await stage.type("zebra")
        await stage.until_shown("Nothing found")
        await stage.press("escape")
        await stage.until_shown("8 pictures")


async def test_what_is_pasted_into_the_search_is_harmless_and_short() -> None:
    async with history(past_pictures(1)) as stage:
        await stage.press("slash")
        stage.app.post_message(events.Paste("[b]\x1b[2J\nfox " + "x" * 5_000))
        await stage.until(lambda: screen(stage).search.value)
        assert screen(stage).search.value.startswith("[b]␛[2J fox xxx")
        assert len(screen(stage).search.value) == 200
        await stage.until_shown("Nothing found")


@pytest.mark.parametrize("key", ["n", "enter", "escape"])
async def test_nothing_is_deleted_without_a_yes(key: str) -> None:
    async with history(past_pictures(2)) as stage:
        await stage.press("d")
        await stage.until(lambda: isinstance(stage.app.screen, Question))
        assert "/pictures/2026-01-02/0002-a-thing-42.png" in stage.text
        await stage.press(key)
        await stage.until(lambda: isinstance(stage.app.screen, HistoryScreen))
        await stage.pilot.pause()
        assert len(stage.engine.pictures) == 2


async def test_a_yes_deletes_the_picture_and_the_next_one_is_chosen() -> None:
    pictures = past_pictures(3)
    async with history(pictures) as stage:
        await stage.press("down", "d")
        await stage.until(lambda: isinstance(stage.app.screen, Question))
        await stage.press("y")
        await stage.until_shown("deleted /pictures/2026-01-02/0002")
        await stage.until_shown("2 pictures")
        assert chosen(stage) == pictures[2]
        assert stage.engine.pictures == [pictures[0], pictures[2]]
        for _ in range(2):
            await stage.press("d", "y")
            await stage.pilot.pause(0.1)
        await stage.until_shown("No pictures yet")


async def test_a_picture_that_another_client_deleted_is_said_to_be_gone() -> None:
    async with history(past_pictures(2)) as stage:
        stage.engine.pictures.clear()
        await stage.press("f")
        await stage.until_shown("not in the history")


async def test_a_file_that_is_gone_is_said_so_and_its_picture_can_be_made_again() -> None:
    async with history(past_pictures(1, exists=False)) as stage:
        await stage.until_shown("file is gone, moved or deleted")
        assert "file is gone · 2026" in stage.text
        await stage.press("d")
        await stage.until(lambda: isinstance(stage.app.screen, Question))
        await stage.press("y")
        await stage.until_shown("forgotten; its file had gone")


async def test_favourites_are_marked_and_shown_alone() -> None:
    pictures = past_pictures(3, favourite=False)
    async with history(pictures) as stage:
        await stage.press("F")
        await stage.until_shown("No favourites")
        await stage.press("F")
        await stage.until_shown("3 pictures")
        await stage.until(lambda: stage.app.focused is screen(stage).pictures)
        await stage.press("down", "asterisk")
        await stage.until_shown("★ a fox")
        await stage.press("F")
        await stage.until_shown("1 favourite")
        assert chosen(stage).job_id == pictures[1].job_id
        await stage.press("f")
        await stage.until_shown("No favourites")


async def test_y_copies_the_path() -> None:
    async with history(past_pictures(1, path="/pictures/a [b] fox.png")) as stage:
        await stage.press("y")
        await stage.until_shown("copied /pictures/a [b] fox.png")
        assert stage.app.clipboard == "/pictures/a [b] fox.png"


@pytest.mark.parametrize("key", ["escape", "f3", "h"])
async def test_the_way_back(key: str) -> None:
    async with history(past_pictures(1)) as stage:
        await stage.press(key)
        assert stage.app.screen is stage.main
        assert stage.main.prompt.text == "a red apple"


async def test_an_empty_history_says_what_will_be_here_and_its_keys_do_nothing() -> None:
    async with history([]) as stage:
        await stage.until_shown("No pictures yet")
        await stage.press("enter", "r", "d", "f", "y", "space", "space", "down", "end")
        assert isinstance(stage.app.screen, HistoryScreen)
        assert stage.engine.submitted() == []
        await stage.press("slash")
        await stage.type("h")
        await stage.until_shown("Nothing found")
        await stage.press("escape")
        await stage.until_shown("No pictures yet")
        await stage.press("h")
        assert stage.app.screen is stage.main


async def test_the_large_picture_leads_to_its_neighbours_and_back() -> None:
    pictures = past_pictures(3)
    async with history(pictures, size=(80, 24)) as stage:
        await stage.press("space")
        await stage.until_shown("seed       42")
        assert "history" not in stage.text
        await stage.press("right")
        await stage.until_shown("seed       43")
        await stage.press("escape")
        await stage.until_shown("3 pictures")
        assert chosen(stage) == pictures[1]
        assert stage.app.focused is screen(stage).pictures


async def test_of_a_thousand_pictures_only_the_pages_in_view_are_asked_for() -> None:
    async with history(past_pictures(1_000)) as stage:
        await stage.until_shown("1,000 pictures")
        await stage.press("end")
        await stage.until_shown("seed 1041")
        await stage.press("home")
        await stage.until_shown("seed 42 ")
        asked = [call[3] for call in stage.engine.calls if call[0] == "search_gallery"]
        assert sorted(asked) == [0, 1_000 // PAGE_PICTURES * PAGE_PICTURES]
        await stage.press(*["pagedown"] * 5)
        await stage.until(lambda: screen(stage).pictures.picture)
        assert chosen(stage).params.seed == 42 + screen(stage).pictures.selected


async def test_a_click_chooses_and_a_second_one_loads() -> None:
    async with history(past_pictures(4)) as stage:
        await stage.pilot.click("#pictures", offset=(20, 7))
        assert screen(stage).pictures.selected == 1
        await stage.pilot.click("#pictures", offset=(20, 12), times=2)
        await stage.until(lambda: stage.app.screen is stage.main)
        assert stage.main.prompt.text == "a cactus in a small pot"


async def test_any_prompt_is_shown_as_it_was_typed() -> None:
    pictures = past_pictures(1)
    hostile = past_pictures(
        1,
        params=params(prompt=HOSTILE, negative_prompt=HOSTILE, model="[/m] \x1b[2J"),
        path="/pictures/[/x]\x1b]0;y\x07.png",
    )
    async with history([*hostile, *pictures], size=(160, 48)) as stage:
        await stage.until_shown("/pictures/[/x]␛]0;y␇.png")
        for size in ((160, 48), (80, 24), (60, 20)):
            await stage.pilot.resize_terminal(*size)
            await stage.until_shown("a [red]fox[/] [/nope]")
            assert not set("\x1b\x07\x9b\u202e") & set(stage.text)
        await stage.press("d")
        await stage.until_shown("delete this picture")
        assert "a [red]fox[/]" in stage.text
        await stage.press("n", "r")
        await stage.until_shown("asked for again: a [red]fox[/]")


async def test_the_palette_knows_what_can_be_done_here() -> None:
    async with history(past_pictures(2, favourite=False)) as stage:
        await stage.press("ctrl+p")
        await stage.until_shown("Search")
        await stage.type("favourite")
        await stage.until_shown("Mark the chosen picture")
        await stage.press("enter")
        await stage.until_shown("★ a red apple")
        # What only the main screen can do is not offered here, where it would do nothing.
        offered = {entry.title for entry in stage.app.get_system_commands(stage.app.screen)}
        assert {"Help", "Delete", "Queue"} <= offered
        assert not {"Generate", "New seed"} & offered


async def test_an_engine_that_is_lost_is_told_of_and_its_successor_asked() -> None:
    async with history(past_pictures(2)) as stage:
        stage.engine.pictures = past_pictures(5)
        stage.engine.lose()
        await stage.until_shown("lost")
        stage.engine.tell(idle_status())
        await stage.until_shown("5 pictures")


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (121, 24), (160, 48)])
async def test_it_fits_every_size(size: tuple[int, int]) -> None:
    async with history(past_pictures(40), size=size) as stage:
        await stage.until_shown("seed 42 · 128×128 · 25 UniPC")
        await stage.press("end")
        await stage.until_shown("seed 81 · ")
        assert len(stage.text.splitlines()) == size[1]


async def test_without_colour_pictures_are_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with history(past_pictures(2)) as stage:
        await stage.until_shown("@@%##%@@")
        assert "▄" not in stage.text
        await stage.press("down")
        await stage.until_shown("┃ @")


ON_HOSTILE_PICTURES = textwrap.dedent(
    f"""
    import sys
    from sdtui.tui import app
    from tests.tui.fake_engine import FakeEngineClient, past_pictures
    from tests.tui.stage import params

    async def connect():
        hostile = params(prompt={HOSTILE!r}, negative_prompt={HOSTILE!r})
        return FakeEngineClient(pictures=past_pictures(2, params=hostile))

    app.SdtuiApp.__init__.__defaults__ = (connect, params())
    sys.exit(app.run())
    """
)


def test_no_foreign_control_sequence_reaches_a_real_terminal() -> None:
    with Terminal([sys.executable, "-c", ON_HOSTILE_PICTURES]) as terminal:
        terminal.wait_for("ready")
        terminal.send("\x1bOR")
        terminal.wait_for("2 pictures")
        terminal.wait_for("a [red]fox[/] [/nope]")
        terminal.send("d")
        terminal.wait_for("delete this picture")
        terminal.send("n\x11")
        assert terminal.wait_for_exit() == 0
    for sequence in (b"\x1b]52;c;aGk=", b"\xc2\x9b31m", "\u202e".encode()):
        assert sequence not in terminal.output
