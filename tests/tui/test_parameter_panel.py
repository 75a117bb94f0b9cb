"""The settings pane under keys and mouse."""

from __future__ import annotations

import random

import pytest
from textual import events

from sdtui.engine.client import EngineClient
from sdtui.tui.actions import ACTIONS
from sdtui.tui.app import SdtuiApp
from sdtui.tui.settings import SETTINGS
from tests.engine.conftest import StartEngine, fake_engine, start_fake_engine
from tests.tui.fake_engine import FakeEngineClient
from tests.tui.lives.interfaces import interface
from tests.tui.stage import Stage, opened, params

__all__ = ["fake_engine", "start_fake_engine"]

DOWN, UP = "\x1b[B", "\x1b[A"


async def choose(stage: Stage, field: str) -> None:
    """Put the cursor of the settings onto a row."""
    stage.main.panel.show_field(field)
    stage.main.panel.focus()
    await stage.pilot.pause()


def line_of(stage: Stage, label: str) -> str:
    """The row of the settings that begins with `label`."""
    return next(
        line.split("│")[-2] for line in stage.text.splitlines() if f"│ {label}" in line
    ).strip()


def walk(moves: int) -> list[tuple[str, int]]:
    """As many keys that each move through the rows, from the first, and where each leads."""
    chance = random.Random(5)
    steps, place = [], 0
    for _ in range(moves):
        ways = [way for way in (-1, 1) if 0 <= place + way < len(SETTINGS)]
        way = chance.choice(ways)
        place += way
        steps.append(("down" if way > 0 else "up", place))
    return steps


async def test_arrows_choose_and_change() -> None:
    async with opened(start=params()) as stage:
        await stage.press("tab", "down", "down", "right", "plus", "minus", "left", "right")
        assert stage.main.panel.settings.values["num_inference_steps"] == 26
        await stage.press("shift+right", "underscore", "shift+left")
        assert stage.main.panel.settings.values["num_inference_steps"] == 16


async def test_digits_replace_the_value_and_enter_keeps_it() -> None:
    async with opened(start=params()) as stage:
        await choose(stage, "num_inference_steps")
        await stage.type("40")
        assert stage.main.panel.settings.values["num_inference_steps"] == 40
        await stage.press("enter")
        assert not stage.engine.submitted()
        await stage.press("enter")
        await stage.until(stage.engine.submitted)
        assert stage.engine.submitted()[0].num_inference_steps == 40


async def test_escape_forgets_what_is_being_typed() -> None:
    async with opened(start=params()) as stage:
        await choose(stage, "height")
        await stage.type("100")
        await stage.until_shown("must be a multiple of 8")
        await stage.press("escape")
        assert stage.main.panel.settings.drafts == {}
        assert line_of(stage, "height").endswith(" ‹128 px›")


@pytest.mark.parametrize(
    ("field", "keys", "reason"),
    [
        ("num_inference_steps", ["0"], "must be from 1 to 200"),
        ("num_inference_steps", ["backspace"], "must be a whole number"),
        ("guidance_scale", ["1", ".", ".", "5"], "must be a finite number"),
        ("height", ["1", "0", "0"], "must be a multiple of 8. Try 96 or 104."),
        ("preview_every", ["9", "9", "9"], "must be from 0 to 200"),
    ],
)
async def test_an_impossible_value_says_why_beside_it_and_nothing_starts(
    field: str, keys: list[str], reason: str
) -> None:
    async with opened(start=params()) as stage:
        await choose(stage, field)
        await stage.press(*keys)
        await stage.until_shown(reason)
        await stage.press("ctrl+g")
        await stage.pilot.pause()
        assert not stage.engine.submitted()
        assert stage.main.panel.setting.field == field


@pytest.mark.parametrize(("field", "becomes"), [("num_inference_steps", 50), ("guidance_scale", 5)])
async def test_a_letter_in_a_number_is_refused_beside_it_and_does_nothing_else(
    field: str, becomes: float
) -> None:
    async with opened(FakeEngineClient(stop_after=12), start=params()) as stage:
        await stage.press("enter")
        await stage.until_shown("12/25")
        await choose(stage, field)
        await stage.type("5")
        before = [call for call in stage.engine.calls if call[0] != "grant_preview"]
        letters = {key for action in ACTIONS for key in action.keys if len(key) == 1}
        for key in sorted(letters | {"question_mark", "colon", "minus", "plus", "space"}):
            await stage.press(key)
            assert "left out: no digit" in stage.text
            assert stage.app.screen is stage.main
            assert stage.app.focused is stage.main.panel
        assert stage.main.panel.settings.values[field] == 5
        await stage.press("0", "backspace")
        assert "left out" not in stage.text
        await stage.press("0" if becomes == 50 else ".", "enter")
        assert stage.main.panel.settings.values[field] == becomes
        asked = [call for call in stage.engine.calls if call[0] not in ("grant_preview", "adjust")]
        assert asked == [call for call in before if call[0] != "adjust"]


async def test_what_was_left_out_of_a_number_is_said_until_the_typing_ends() -> None:
    async with opened(start=params()) as stage:
        await choose(stage, "guidance_scale")
        await stage.type("1e9")
        await stage.until_shown("e left out: no digit")
        assert line_of(stage, "guidance").endswith("19▏")
        await stage.press("enter")
        assert "left out" not in stage.text

        await choose(stage, "height")
        await stage.type("10x5")
        await stage.until_shown("must be a multiple of 8. Try 104 or 112.")


async def test_what_was_left_out_is_forgotten_with_the_rest() -> None:
    async with opened(start=params()) as stage:
        await choose(stage, "seed")
        await stage.type("1e")
        await stage.until_shown("e left out")
        await stage.press("ctrl+r")
        assert "left out" not in stage.text
        await stage.type("7")
        assert "left out" not in stage.text


async def test_enter_does_not_end_the_typing_of_what_is_impossible() -> None:
    async with opened(start=params()) as stage:
        await choose(stage, "height")
        await stage.type("10")
        await stage.press("enter", "enter", "r")
        await stage.until_shown("must be from 64 to 2048")
        assert stage.main.panel.settings.values["seed"] == 42
        await stage.press("backspace", "0", "4", "enter")
        assert stage.main.panel.settings.values["height"] == 104
        assert not stage.engine.submitted()


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (60, 22), (71, 24), (120, 21), (160, 48)])
async def test_no_reason_covers_a_row_and_each_is_there_to_its_end(size: tuple[int, int]) -> None:
    async with opened(start=params(), size=size) as stage:
        panel = stage.main.panel
        await choose(stage, "num_inference_steps")

        for row in SETTINGS:
            if row.is_choice:
                continue
            panel.show_field(row.field)
            # 9…9 is too large for each, and for the sizes no multiple of eight either.
            for draft in ("", "90001", "9" * 20, "100", "1.5"):
                panel.settings.type(row.field, draft)
                lines = [panel.render_line(y).text.strip() for y in range(panel.size.height)]
                for label in (other.label for other in SETTINGS):
                    assert any(line.startswith(f"{label} ") for line in lines), label
                assert panel._reason(row.field) in " ".join(lines)
                panel.settings.revert(row.field)


async def test_a_reason_stands_at_its_row_or_says_whose_it_is() -> None:
    async with opened(start=params(), size=(80, 24)) as stage:
        panel = stage.main.panel
        for field, line in (("width", -1), ("height", 1)):
            await choose(stage, field)
            await stage.type("100")
            row = next(row for row in range(20) if panel._position_at(row) == panel.position)
            assert panel.render_line(row + line).text.strip().startswith("must be a multiple of 8")
            await stage.press("escape")
        await stage.pilot.resize_terminal(60, 20)
        for field in ("width", "height"):
            await choose(stage, field)
            await stage.type("100")
            await stage.press("up")
            await stage.until_shown(f"{field} must be a multiple of")
            await stage.press("down", "escape")


async def test_a_reason_that_has_no_room_ends_in_an_ellipsis() -> None:
    async with opened(start=params(), size=(60, 20)) as stage:
        await choose(stage, "scheduler")
        await stage.app.hand_out(events.Paste("no such scheduler"))
        await stage.until_shown("…")
        assert all(
            any(line.startswith(f"│ {row.label} ") for line in _panes(stage)) for row in SETTINGS
        )


def _panes(stage: Stage) -> list[str]:
    """The lines of the right side."""
    return ["│" + line.split("│")[-2] for line in stage.text.splitlines() if line.count("│") >= 4]


async def test_keys_are_obeyed_in_the_order_in_which_they_came() -> None:
    """However fast they come, a digit belongs to the row that was chosen before it."""
    async with opened(start=params()) as stage:
        await choose(stage, "num_inference_steps")
        for key in ("3", "0", "down", "4", "down", "7", "down", "down", "2", "up", "up", "left"):
            stage.app.post_message(events.Key(key, key if len(key) == 1 else None))
        await stage.until(lambda: stage.main.panel.settings.values["seed"] == 6)
        values = stage.main.panel.settings.values
        assert [values[row] for row in ("num_inference_steps", "guidance_scale", "batch")] == [
            30,
            4,
            2,
        ]


async def test_a_move_right_behind_the_key_that_shows_the_settings_is_for_them() -> None:
    async with opened(start=params()) as stage:
        for key in ("ctrl+l", "ctrl+l", "down", "down"):
            stage.app.post_message(events.Key(key, None))
        await stage.until(lambda: stage.main.panel.position == 2)


async def test_what_is_typed_right_behind_tab_is_for_the_settings() -> None:
    async with opened(start=params()) as stage:
        for key in ("tab", "down", "down", "5", "0"):
            stage.app.post_message(events.Key(key, key if len(key) == 1 else None))
        await stage.until(lambda: stage.main.panel.settings.values["num_inference_steps"] == 50)
        assert stage.main.prompt.text == "a red apple"


async def test_no_move_is_lost_while_a_picture_is_made(start_fake_engine: StartEngine) -> None:
    start_fake_engine()
    app = SdtuiApp(EngineClient.connect, params(prompt="pause=0.02", num_inference_steps=200))
    async with app.run_test(size=(80, 24)) as pilot:
        stage = Stage(app, FakeEngineClient(), pilot)
        await stage.until_shown("engine ●")
        for _ in range(20):
            await stage.press("enter")
        await stage.until_shown("/200")
        panel = app.main.panel
        await choose(stage, "model")
        moves = walk(500)
        places: list[int] = []
        panel.watch(panel, "position", lambda place: places.append(place), init=False)
        for key, _ in moves:
            app.post_message(events.Key(key, None))
        await stage.until(lambda: len(places) == len(moves))
        assert places == [place for _, place in moves]
        assert app.main.bridge.running


async def test_a_seed_beyond_64_bits_says_its_bounds() -> None:
    async with opened(start=params()) as stage:
        await choose(stage, "seed")
        await stage.type(str(2**70))
        await stage.until_shown("must be from 0 to")
        await stage.press("ctrl+g")
        assert not stage.engine.submitted()


async def test_the_reason_shows_the_pane_that_holds_the_value() -> None:
    async with opened(start=params()) as stage:
        await choose(stage, "height")
        await stage.type("100")
        await stage.press("ctrl+l", "ctrl+g")
        await stage.until_shown("must be a multiple of 8")
        assert stage.app.focused is stage.main.panel


async def test_a_pasted_value_replaces_the_old_one() -> None:
    async with opened(start=params()) as stage:
        await choose(stage, "scheduler")
        stage.main.panel.post_message(events.Paste(" euler a\n"))
        await stage.until(lambda: stage.main.panel.settings.values["scheduler"] == "Euler a")


async def test_pasted_escapes_are_shown_harmlessly() -> None:
    async with opened(start=params()) as stage:
        await choose(stage, "model")
        stage.main.panel.post_message(events.Paste("\x1b]0;x\x07[/]"))
        await stage.until_shown("␛]0;x␇[/]")


async def test_the_wheel_and_clicks_change_values() -> None:
    async with opened(start=params()) as stage:
        panel = stage.main.panel
        row = panel._y_of(2)
        await stage.pilot.click(panel, offset=(3, row))
        assert panel.setting.field == "num_inference_steps"
        await stage.pilot.click(panel, offset=(panel.size.width - 1, row))
        assert panel.settings.values["num_inference_steps"] == 26
        await stage.pilot.click(panel, offset=(panel._arrow_x(), row))
        assert panel.settings.values["num_inference_steps"] == 25
        wheel = (panel, 3, row, 0, -1, 0, False, False, False)
        panel.post_message(events.MouseScrollUp(*wheel))
        await stage.until(lambda: panel.settings.values["num_inference_steps"] == 26)


async def test_a_new_seed_is_used_by_the_next_picture() -> None:
    async with opened(start=params()) as stage:
        await stage.press("ctrl+r")
        seed = stage.main.panel.settings.values["seed"]
        assert seed != 42
        assert str(seed) in line_of(stage, "seed")
        await stage.press("enter")
        await stage.until(stage.engine.submitted)
        assert stage.engine.submitted()[0].seed == seed


async def test_a_random_seed_is_shown_when_it_was_used() -> None:
    async with opened(start=params()) as stage:
        for _ in range(2):
            await stage.press("enter")
        await stage.until(lambda: len(stage.engine.submitted()) == 2)
        first, second = (submitted.seed for submitted in stage.engine.submitted())
        assert first == 42
        assert second != 42
        assert str(second) in line_of(stage, "seed")


async def test_choosing_a_model_takes_its_size_and_downloads_nothing_unasked() -> None:
    async with opened(start=params(), size=(100, 30)) as stage:
        await stage.until(lambda: len(stage.main.panel.settings.models) > 1)
        asked = [call for call in stage.engine.calls if call[0] == "load_model"]
        await choose(stage, "model")
        await stage.press("right")
        await stage.until_shown("512 px")
        await stage.until_shown("loaded when a picture is asked for")
        assert [call for call in stage.engine.calls if call[0] == "load_model"] == asked
        await stage.press("left")
        await stage.until_shown("128 px")
        await stage.until(lambda: [c for c in stage.engine.calls if c[0] == "load_model"] != asked)


async def test_numbers_stay_in_their_columns() -> None:
    async with opened(FakeEngineClient(), start=params()) as stage:
        await choose(stage, "num_inference_steps")
        rows = []
        for digits in ("9", "99", "199"):
            await stage.type(digits)
            await stage.press("enter")
            rows.append(line_of(stage, "steps").rstrip("›"))
        assert len({len(row) for row in rows}) == 1


def test_no_key_is_lost_between_a_real_terminal_and_the_settings(
    start_fake_engine: StartEngine,
) -> None:
    start_fake_engine()
    with interface(columns=80, lines=24) as terminal:
        terminal.wait_for("/77")
        terminal.send("pause=0.05")
        terminal.wait_for("pause=0.05")
        terminal.send("\t")
        terminal.wait_for("‹pocket›")
        terminal.send(f"{DOWN}{DOWN}200")
        terminal.wait_for("200▏")
        terminal.send("\r")
        terminal.wait_for("‹200›")
        terminal.send("\r" * 9)
        terminal.wait_for("x0 at step")
        terminal.send("\x1b[H")
        terminal.wait_for("‹pocket›")
        moves, chance = walk(500), random.Random(6)
        while moves:
            burst, moves = moves[: (count := chance.randint(1, 12))], moves[count:]
            terminal.send("".join(DOWN if key == "down" else UP for key, _ in burst))
            label = SETTINGS[burst[-1][1]].label
            terminal.wait_for(
                lambda screen, label=label: (
                    f"│ {label}" in next((line for line in screen.splitlines() if "‹" in line), "")
                )
            )
        assert "● running" in terminal.text
        terminal.send("\x11")
        assert terminal.wait_for_exit() == 0


async def test_a_value_takes_the_place_of_a_refused_one_and_backspace_mends_it() -> None:
    async with opened(start=params()) as stage:
        settings = stage.main.panel.settings
        stage.main.panel.show_field("num_inference_steps")
        stage.main.panel.focus()
        await stage.press("0", "enter")
        assert settings.drafts["num_inference_steps"] == "0"
        await stage.press("3", "0", "enter")
        assert settings.values["num_inference_steps"] == 30
        await stage.press("9", "9", "9", "9", "enter", "backspace", "backspace", "enter")
        assert settings.values["num_inference_steps"] == 99
