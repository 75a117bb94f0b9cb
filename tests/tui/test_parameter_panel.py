"""The settings pane under keys and mouse."""

from __future__ import annotations

import pytest
from textual import events

from tests.tui.fake_engine import FakeEngineClient
from tests.tui.stage import Stage, opened, params


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
        ("num_inference_steps", ["backspace", "minus", "3"], "must be from 1 to 200"),
        ("guidance_scale", ["backspace", "n", "a", "n"], "must be a finite number"),
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
