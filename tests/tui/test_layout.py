"""What is where, at which size, and how keys and mouse move between the parts."""

from __future__ import annotations

import pytest
from textual.widget import Widget

from sdtui.tui.themes import DARK, LIGHT
from tests.tui.fake_engine import SAVED_PATH, FakeEngineClient
from tests.tui.stage import Stage, opened, params


def title_at(stage: Stage, text: str) -> tuple[int, int]:
    """Column and row of the last place where the screen shows `text`."""
    for row, line in enumerate(stage.text.splitlines()):
        if text in line:
            return line.rindex(text), row
    raise AssertionError(text)


def shown(widget: Widget) -> bool:
    return widget.display and widget.region.area > 0


@pytest.mark.parametrize("size", [(121, 30), (160, 48), (200, 60)])
async def test_a_wide_screen_shows_everything_side_by_side(size: tuple[int, int]) -> None:
    async with opened(size=size) as stage:
        main = stage.main
        places = [main.panel, main.run_view.preview, main.run_view.log]
        assert all(shown(place) for place in [*places, main.prompt, main.negative])
        columns = [place.region.x for place in places]
        assert columns == sorted(columns)


@pytest.mark.parametrize("size", [(80, 24), (100, 40), (60, 20), (120, 24)])
async def test_a_narrow_screen_switches_between_settings_and_log(size: tuple[int, int]) -> None:
    async with opened(size=size) as stage:
        main = stage.main
        assert shown(main.panel)
        assert not shown(main.run_view.log)
        assert main.run_view.preview.region.right <= main.panel.region.x
        before = main.run_view.preview.region
        await stage.press("ctrl+l")
        assert not shown(main.panel)
        assert shown(main.run_view.log)
        assert main.run_view.preview.region == before
        assert stage.app.focused is main.run_view.log
        await stage.press("l")
        assert shown(main.panel)
        assert stage.app.focused is main.panel


async def test_the_tabs_can_be_clicked() -> None:
    async with opened() as stage:
        await stage.pilot.click(offset=title_at(stage, "log"))
        await stage.until(lambda: shown(stage.main.run_view.log))
        await stage.pilot.click(offset=title_at(stage, "settings"))
        await stage.until(lambda: shown(stage.main.panel))
        await stage.pilot.click(offset=title_at(stage, "negative"))
        await stage.until(lambda: shown(stage.main.negative))


async def test_the_negative_prompt_has_a_key_of_its_own() -> None:
    async with opened(start=params()) as stage:
        await stage.press("ctrl+n")
        await stage.type("blurry")
        await stage.press("enter")
        await stage.until(stage.engine.submitted)
        assert stage.engine.submitted()[0].negative_prompt == "blurry"
        await stage.press("ctrl+n")
        assert stage.app.focused is stage.main.prompt


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_nothing_moves_between_idle_running_and_done(size: tuple[int, int]) -> None:
    async with opened(FakeEngineClient(stop_after=12), start=params(), size=size) as stage:
        widgets = list(stage.main.query("#panes *, #prompts *, #status, #progress, #keys"))
        widgets = [widget for widget in widgets if widget.id and "preview-" not in widget.id]

        def regions() -> dict[str | None, object]:
            return {widget.id: widget.region for widget in widgets}

        idle = regions()
        await stage.press("enter")
        await stage.until_shown("12/25")
        assert regions() == idle
        stage.engine.finish()
        await stage.until_shown("done in")
        assert regions() == idle


async def test_the_full_preview_gives_the_picture_the_screen_and_takes_it_back() -> None:
    async with opened(start=params()) as stage:
        await stage.press("enter")
        await stage.until_shown("done in")
        small = stage.main.run_view.preview.region
        await stage.press("f2")
        assert stage.main.run_view.preview.region.area > 2 * small.area
        assert not shown(stage.main.prompt)
        await stage.press("f")
        assert stage.main.run_view.preview.region == small
        await stage.press("f2", "escape")
        assert stage.main.run_view.preview.region == small
        assert stage.app.focused is stage.main.prompt


@pytest.mark.parametrize("side", ["settings", "log"])
@pytest.mark.parametrize("prompt", ["prompt", "negative"])
@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (160, 48)])
async def test_tab_walks_through_what_is_shown_in_one_order_at_every_size(
    size: tuple[int, int], prompt: str, side: str
) -> None:
    async with opened(size=size) as stage:
        main = stage.main
        main.show_side(side)
        main.show_negative(prompt == "negative")
        await stage.pilot.pause()
        order = [main.prompt, main.negative, main.panel, main.run_view.log]
        expected = [place for place in order if shown(place)]
        start = expected.index(stage.app.focused)
        expected = expected[start:] + expected[:start]
        for key, places in (("tab", expected), ("shift+tab", [expected[0], *expected[:0:-1]])):
            walked = []
            for _ in expected:
                walked.append(stage.app.focused)
                await stage.press(key)
            assert walked == places
            assert stage.app.focused is expected[0]


async def test_the_theme_has_a_dark_and_a_light_side() -> None:
    async with opened() as stage:
        assert stage.app.theme == DARK.name
        await stage.press("f9")
        assert stage.app.theme == LIGHT.name
        await stage.press("tab", "d")
        assert stage.app.theme == DARK.name


async def test_a_click_in_the_footer_does_what_it_says() -> None:
    async with opened(start=params()) as stage:
        await stage.pilot.click("#keys", offset=(3, 0))
        await stage.until(stage.engine.submitted)


async def test_the_footer_keeps_what_matters_when_it_is_narrow() -> None:
    async with opened(size=(60, 20)) as stage:
        last = stage.text.splitlines()[-1]
        assert [name in last for name in ("generate", "stop", "help")] == [True] * 3
        assert len(last) <= 60


async def test_the_output_folder_and_the_path_are_told_and_copied() -> None:
    async with opened(start=params()) as stage:
        await stage.press("f8")
        await stage.until_shown("no picture has been saved yet")
        await stage.press("enter")
        await stage.until_shown("done in")
        await stage.press("f8")
        await stage.until_shown("copied")
        assert stage.app.clipboard == SAVED_PATH
        await stage.press("ctrl+o")
        await stage.until_shown("pictures are in /pictures/2026-01-02")


async def test_the_log_hides_its_explanations() -> None:
    async with opened(start=params(num_inference_steps=2), size=(160, 60)) as stage:
        await stage.press("enter")
        await stage.until_shown("The VAE's decoder turns")
        await stage.press("f4")
        await stage.until(lambda: "The VAE's decoder turns" not in stage.text)
