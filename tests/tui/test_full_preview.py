"""The preview with the screen to itself: zoom, pan, exact pixels, and x_t beside x0."""

from __future__ import annotations

import pytest
from textual.widgets import Static

from sdtui.tui.renderers.kitty import MARKS
from sdtui.tui.view import FITTED
from sdtui.tui.widgets.picture import Picture
from tests.tui.fake_engine import FakeEngineClient, disc
from tests.tui.stage import Stage, opened, params


def canvas(stage: Stage, name: str = "preview") -> tuple[int, int]:
    """How many cells (columns, rows) a picture has on the screen."""
    region = stage.main.query_one(f"#{name}-canvas").region
    return region.width, region.height


def titles(stage: Stage) -> list[str]:
    """What stands above each picture."""
    pictures = [picture for picture in stage.main.query(Picture) if picture.display]
    return [str(picture.query_one(Static).content) for picture in pictures]


async def test_the_same_key_and_escape_give_the_screen_back_and_stop_nothing() -> None:
    async with opened(FakeEngineClient(stop_after=12), start=params()) as stage:
        await stage.press("enter")
        await stage.until_shown("12/25")
        for key in ("f2", "f", "escape"):
            await stage.press("f2")
            await stage.until_shown("esc back")
            await stage.press(key)
            await stage.until_shown("esc stop")
            assert stage.app.focused is stage.main.prompt
        assert not [call for call in stage.engine.calls if call[0] == "cancel"]
        await stage.press("f2", "x")
        await stage.until_shown("stopped at 12/25")


@pytest.mark.parametrize("back", ["f2", "escape"])
async def test_who_comes_back_writes_in_the_prompt_that_is_seen(back: str) -> None:
    async with opened(start=params()) as stage:
        await stage.press("ctrl+n", "f2", back, *"blurry")
        await stage.until_shown("blurry")
        assert stage.main.negative.text == "blurry"
        assert stage.main.prompt.text == params().prompt


async def test_the_view_is_told_and_kept_from_the_previews_to_the_picture() -> None:
    async with opened(FakeEngineClient(stop_after=12), start=params()) as stage:
        await stage.press("enter")
        await stage.until_shown("12/25")
        assert "fitted" not in stage.text
        await stage.press("f2")
        await stage.until_shown("fitted")
        await stage.press("plus", "plus", "right", "up")
        await stage.until_shown("zoom ×3 →")
        told = [line for line in stage.text.splitlines() if "zoom ×3" in line]
        filled = canvas(stage)

        stage.engine.finish()
        await stage.until_shown("done in")
        assert [line for line in stage.text.splitlines() if "zoom ×3" in line] == told
        assert canvas(stage) == filled

        # Where the picture shares the screen it is whole, and the view is there again with F2.
        await stage.press("f2")
        await stage.until(lambda: "zoom" not in stage.text)
        await stage.press("f2")
        await stage.until_shown("zoom ×3 →")
        await stage.press("0")
        await stage.until_shown("fitted")
        assert stage.main.run_view.preview.viewer.view == FITTED


async def test_zoom_shows_the_part_that_the_border_names() -> None:
    async with opened(start=params(width=128, height=128)) as stage:
        await stage.press("enter")
        await stage.until_shown("done in")
        await stage.press("f2", *["plus"] * 3, *["left"] * 20, *["up"] * 20)
        await stage.until_shown("zoom ×4 →0% ↓0%")
        shown = stage.main.run_view.preview.viewer._picture.canvas.frame
        assert shown is not None
        assert shown.rgb[:3] == disc(128, 1.0)[:3]
        await stage.press(*["right"] * 40, *["down"] * 40)
        await stage.until_shown("→100% ↓100%")


async def test_the_saved_picture_is_shown_with_all_its_pixels_one_for_one() -> None:
    async with opened(start=params(width=128, height=128), size=(160, 80)) as stage:
        await stage.press("enter")
        await stage.until_shown("done in")
        await stage.press("f2", "1")
        await stage.until_shown("exact")
        await stage.until(lambda: canvas(stage) == (128, 64))
        shown = stage.main.run_view.preview.viewer._picture.canvas.frame
        assert shown is not None
        assert shown.rgb == disc(128, 1.0)
        await stage.press("plus")
        await stage.until_shown("exact ×2 →50% ↓49%")
        await stage.press("1")
        await stage.until_shown("fitted")


async def test_an_exact_picture_fills_the_cells_of_its_pixels_with_every_renderer() -> None:
    async with opened(start=params(width=128, height=128), size=(160, 80)) as stage:
        await stage.press("enter")
        await stage.until_shown("done in")
        await stage.press("f2", "1")
        sizes = {}
        for name in ("half", "quadrant", "sextant", "ascii"):
            await stage.press("f12")
            await stage.until_shown(f"pictures as {name}")
            await stage.pilot.pause()
            sizes[name] = canvas(stage)
        assert sizes == {
            "half": (128, 64),
            "quadrant": (128, 64),
            "sextant": (156, 75),
            "ascii": (156, 75),
        }


async def test_x_t_is_beside_x0_while_the_key_asks_for_it() -> None:
    engine = FakeEngineClient(stop_after=12)
    async with opened(engine, start=params(), size=(160, 48)) as stage:
        await stage.press("f6")
        await stage.until(lambda: ("show_latents", True) in engine.calls)
        await stage.press("enter")
        await stage.until_shown("x_t · step 12")
        assert titles(stage) == ["x0 · step 12", "x_t · step 12"]
        assert canvas(stage) == canvas(stage, "latents")

        # The picture has no x_t, so the last one stays.
        engine.finish()
        await stage.until_shown("done in")
        assert titles(stage) == ["picture", "x_t · step 25"]

        await stage.press("f6")
        await stage.until(lambda: ("show_latents", False) in engine.calls)
        assert titles(stage) == [""]
        await stage.until(lambda: "x_t" not in stage.text)


async def test_where_no_x_t_came_yet_its_place_says_so() -> None:
    async with opened(FakeEngineClient(stop_after=12), start=params()) as stage:
        await stage.press("enter")
        await stage.until_shown("12/25")
        await stage.press("f2", "s")
        await stage.until_shown("x_t · none yet")
        stage.engine.finish()
        await stage.until_shown("x_t · step 25")


async def test_another_engine_is_asked_for_x_t_again() -> None:
    engine = FakeEngineClient()
    async with opened(engine, start=params()) as stage:
        await stage.press("f6")
        await stage.until(lambda: ("show_latents", True) in engine.calls)
        engine.calls.clear()
        engine.lose()
        await stage.until(lambda: ("show_latents", True) in engine.calls)


async def test_no_prompt_takes_the_keys_after_another_screen_was_there() -> None:
    async with opened(start=params()) as stage:
        await stage.press("enter")
        await stage.until_shown("done in")
        for way, back in (("f1", "escape"), ("f3", "escape"), ("ctrl+p", "escape")):
            await stage.press("f2", way)
            await stage.until(lambda: stage.app.screen is not stage.main)
            await stage.press(back)
            await stage.until(lambda: stage.app.screen is stage.main)
            await stage.press("plus")
            await stage.until_shown("zoom ×2")
            assert stage.main.prompt.text == params().prompt
            await stage.press("0", "f")
            await stage.until(lambda: not stage.main.is_full)
        bottom = stage.main.run_view.preview.region.bottom - 1
        assert "─ ─" not in stage.text.splitlines()[bottom].replace("  ", " ")


@pytest.mark.parametrize("key", ["l", "n", "t"])
async def test_who_goes_to_another_part_gets_to_see_it(key: str) -> None:
    async with opened(start=params()) as stage:
        await stage.press("f2", key)
        await stage.until_shown("esc stop")
        await stage.pilot.pause()
        assert stage.app.focused is not None
        assert stage.app.focused.region.area


async def test_keys_of_the_full_preview_do_nothing_elsewhere() -> None:
    async with opened(start=params()) as stage:
        await stage.press("enter")
        await stage.until_shown("done in")
        await stage.press("tab", "plus", "1", "0", "escape", "l")
        assert stage.main.run_view.preview.viewer.view == FITTED
        assert not stage.main.is_full


async def test_no_picture_is_wider_than_kittys_marks_can_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SDTUI_RENDERER", "kitty")
    async with opened(start=params(), size=(330, 40)) as stage:
        await stage.press("enter")
        await stage.until_shown("done in")
        await stage.press("f2", *["plus"] * 7)
        await stage.until(lambda: canvas(stage)[0] == len(MARKS))
        strips = stage.main._compositor.render_strips()
        assert {strip.cell_length for strip in strips} == {330}
