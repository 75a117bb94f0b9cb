"""The preview pane shows the newest frame, says what it is, and rests in between."""

from __future__ import annotations

import random

import pytest
from textual.app import App
from textual.geometry import Region
from textual.widgets import Static

from sdtui.params import GenerationParams
from sdtui.protocol.events import (
    ComponentLoading,
    EngineStatus,
    ImageDecoded,
    JobCancelled,
    JobFailed,
    JobSaved,
    JobStarted,
    PreviewReady,
    Trouble,
)
from sdtui.tui import frame_pace, pace
from sdtui.tui.widgets.preview import Preview
from tests.tui.slow_terminal import Clock

Stage = type[App[None]]


def words(preview: Preview) -> str:
    """The message in the pane, or nothing where none is shown."""
    message = preview.query_one("#preview-message", Static)
    return str(message.content) if message.display else ""


def pixels(width: int, height: int, colour: int = 0) -> bytes:
    return bytes([colour]) * (width * height * 3)


class CountingPreview(Preview):
    """Counts how often it asks for another frame."""

    painted = 0

    def _ask_for_another(self) -> None:
        super()._ask_for_another()
        self.painted += 1


async def test_an_empty_pane_offers_prompts_and_the_key_that_fills_one_in(stage: Stage) -> None:
    preview = Preview()
    async with stage(preview).run_test() as pilot:
        preview.show_empty(["a red apple", "a yellow taxi"], key="^t")
        await pilot.pause()

        assert "a red apple" in words(preview)
        assert "^t fills one in" in words(preview)
        assert preview.frame is None


@pytest.mark.parametrize(
    ("width", "title"),
    [
        (36, "preview · seed 3953217279"),
        (41, "preview · seed 3953217279 · 128×128"),
        (60, "preview · seed 3953217279 · 128×128 · 5.6 s"),
    ],
)
async def test_the_title_says_what_fits_and_cuts_nothing_in_the_middle(
    stage: Stage, width: int, title: str
) -> None:
    preview = Preview()
    preview.styles.border = ("round", "white")
    async with stage(preview).run_test(size=(80, 24)) as pilot:
        caption = "seed 3953217279 · 128×128 · 5.6 s"
        preview.show_frame(pixels(16, 16), 16, 16, caption=caption, final=True)
        preview.styles.width = width
        await pilot.pause()
        assert preview.border_title == title


async def test_a_frame_is_painted_and_said_to_be(stage: Stage) -> None:
    preview = CountingPreview()
    async with stage(preview).run_test() as pilot:
        preview.show_empty(["a red apple"])
        preview.show_frame(pixels(16, 16), 16, 16, caption="x0 at step 12")
        while not preview.painted:
            await pilot.pause(0.01)

        assert preview.painted == 1
        assert preview.border_title == "preview · x0 at step 12"
        assert words(preview) == ""


async def test_of_many_frames_at_once_the_newest_is_painted_and_the_timer_ends(
    stage: Stage,
) -> None:
    preview = CountingPreview()
    async with stage(preview).run_test() as pilot:
        for step in range(40):
            preview.show_frame(pixels(8, 8, step), 8, 8, caption=str(step))
        while preview.border_title != "preview · 39":
            await pilot.pause(0.01)
        await pilot.pause()

        assert preview.frame is not None
        assert preview.frame.rgb == pixels(8, 8, 39)
        assert preview.painted == 1
        assert not list(preview._timers)


async def test_a_final_picture_does_not_wait(stage: Stage) -> None:
    preview = Preview()
    async with stage(preview).run_test():
        preview.show_frame(pixels(8, 8), 8, 8)
        preview.show_frame(pixels(8, 8, 1), 8, 8)
        preview.show_frame(pixels(64, 64, 2), 64, 64, caption="done", final=True)

        assert preview.frame is not None
        assert preview.frame.width == 64


class TitledPreview(CountingPreview):
    """Counts how often its title alone is to be painted."""

    titles = 0

    def refresh(
        self,
        *regions: Region,
        repaint: bool = True,
        layout: bool = False,
        recompose: bool = False,
    ) -> TitledPreview:
        self.titles += bool(regions)
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)


async def test_the_title_of_a_final_picture_does_not_wait_for_a_beat(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The next one is hours away.
    monkeypatch.setattr(pace, "FIGURES_PER_SECOND", 1e-4)
    preview = TitledPreview()
    async with stage(preview).run_test() as pilot:
        await pilot.pause()
        preview.titles = 0
        preview.show_frame(pixels(16, 16), 16, 16, caption="x0 at step 12")
        while not preview.painted:
            await pilot.pause(0.02)
        assert not preview.titles
        preview.show_frame(pixels(16, 16, 1), 16, 16, caption="seed 42", final=True)
        assert preview.titles == 1


async def test_a_frame_that_waits_never_covers_what_came_after_it(stage: Stage) -> None:
    preview = Preview()
    async with stage(preview).run_test() as pilot:
        preview.show_frame(pixels(8, 8), 8, 8)
        preview.show_frame(pixels(8, 8, 1), 8, 8)
        preview.show_failure("The worker died", "It ran out of memory.", "Draw a smaller picture.")
        await pilot.pause(0.1)

        assert preview.frame is None
        assert "Draw a smaller picture." in words(preview)


async def test_an_engine_that_cannot_start_its_worker_says_so_in_the_pane(stage: Stage) -> None:
    preview = Preview()
    trouble = Trouble(title="The worker cannot be started", remedy="See the log.")
    async with stage(preview).run_test():
        preview.show(EngineStatus(state="failing", version="0", pid=1, trouble=trouble))

        assert "The worker cannot be started" in words(preview)
        assert "See the log." in words(preview)


async def test_a_frame_that_is_overtaken_unseen_still_asks_for_another(stage: Stage) -> None:
    preview = CountingPreview()
    async with stage(preview).run_test() as pilot:
        preview.show_frame(pixels(8, 8), 8, 8)
        preview.show_failure("The worker died")
        await pilot.pause()

        assert preview.painted == 1


async def test_a_final_picture_asks_for_no_other(stage: Stage) -> None:
    preview = CountingPreview()
    async with stage(preview).run_test() as pilot:
        preview.show_frame(pixels(8, 8), 8, 8, final=True)
        await pilot.pause(0.1)

        assert preview.painted == 0


async def test_a_hidden_pane_asks_for_nothing_until_it_is_seen_again(stage: Stage) -> None:
    preview = CountingPreview()
    async with stage(preview).run_test() as pilot:
        preview.display = False
        await pilot.pause()
        preview.show_frame(pixels(8, 8), 8, 8)
        await pilot.pause(0.1)
        assert preview.painted == 0

        preview.display = True
        while not preview.painted:
            await pilot.pause(0.01)


async def test_where_the_terminal_answers_its_answer_is_waited_for(stage: Stage) -> None:
    preview = CountingPreview()
    async with stage(preview).run_test() as pilot:
        preview.terminal_answered()
        preview.show_frame(pixels(8, 8), 8, 8)
        await pilot.pause(0.1)
        assert preview.painted == 0

        preview.terminal_answered()
        await pilot.pause()
        assert preview.painted == 1


async def test_a_terminal_that_never_answers_gets_fewer_frames(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(frame_pace, "monotonic", clock)
    preview = CountingPreview()

    def is_painted_after(seconds: float) -> bool:
        clock.now += 1
        preview.show_frame(pixels(8, 8), 8, 8, caption="before")
        clock.now += seconds
        preview.show_frame(pixels(8, 8, 1), 8, 8, caption="after")
        return preview.border_title == "preview · after"

    async with stage(preview).run_test():
        assert not is_painted_after(0.15)
        assert is_painted_after(0.25)
        # tmux answers the driver's questions and not those about a frame.
        monkeypatch.setattr(preview.app._driver, "round_trip", 0.001, raising=False)
        assert is_painted_after(0.04)
        monkeypatch.undo()
        monkeypatch.setattr(frame_pace, "monotonic", clock)
        preview.terminal_answered()
        assert is_painted_after(0.04)
        assert not is_painted_after(0.02)


async def test_the_picture_is_centred_and_keeps_its_aspect(stage: Stage) -> None:
    preview = Preview()
    async with stage(preview).run_test(size=(80, 24)) as pilot:
        preview.show_frame(pixels(32, 32), 32, 32)
        await pilot.pause()
        canvas = preview.query_one("#preview-canvas")

        assert canvas.region.size == (48, 24)
        assert canvas.region.x == 16

        await pilot.resize_terminal(40, 30)
        await pilot.pause()
        assert canvas.region.size == (40, 20)
        assert canvas.region.y == 5


async def test_a_job_is_told_from_loading_to_the_saved_picture(stage: Stage) -> None:
    preview = Preview()
    async with stage(preview).run_test() as pilot:
        preview.show(ComponentLoading(model="pocket", component="unet", index=2, count=5))
        assert "loading unet" in words(preview)
        assert "3 of 5" in words(preview)

        preview.show(JobStarted(job_id="j", params=GenerationParams(prompt="a", seed=42)))
        assert words(preview) == "starting"
        preview.show(
            PreviewReady(
                job_id="j", step_index=11, count=25, width=16, height=16, rgb=pixels(16, 16)
            )
        )
        await pilot.pause()
        assert preview.border_title == "preview · x0 at step 12"

        preview.show(
            ImageDecoded(job_id="j", width=128, height=128, rgb=pixels(128, 128), seconds=0.1)
        )
        preview.show(JobSaved(job_id="j", path="/x.png", size=9, seconds=2.1))
        await pilot.pause()
        assert preview.border_title == "preview · seed 42 · 128×128 · 2.1 s"


async def test_the_next_job_takes_the_failure_of_the_last_one_away(stage: Stage) -> None:
    preview = Preview()
    async with stage(preview).run_test():
        preview.show(JobFailed(job_id="a", title="Out of memory"))
        assert preview.shows_failure
        preview.show(JobStarted(job_id="b", params=GenerationParams(prompt="a", seed=42)))
        assert words(preview) == "starting"
        assert not preview.shows_failure


async def test_a_stopped_job_keeps_its_last_preview(stage: Stage) -> None:
    preview = Preview()
    async with stage(preview).run_test() as pilot:
        preview.show_frame(pixels(16, 16), 16, 16, caption="x0 at step 12")
        preview.show(JobCancelled(job_id="j", completed=12, count=25))
        await pilot.pause()

        assert preview.frame is not None
        assert preview.border_title == "preview · stopped at 12/25"


async def test_a_job_stopped_before_the_loop_says_so(stage: Stage) -> None:
    preview = Preview()
    async with stage(preview).run_test():
        preview.show(JobCancelled(job_id="j", completed=0, count=0))

        assert words(preview) == "stopped before the first step"


@pytest.mark.parametrize("foreign", ["[/]", "[b]x[/i]", "a\x1b]52;c;eA==\x07b", ":smile:"])
async def test_foreign_words_are_shown_harmlessly(stage: Stage, foreign: str) -> None:
    preview = Preview()
    async with stage(preview).run_test() as pilot:
        preview.show(JobFailed(job_id="j", title=foreign, message=foreign, remedy=foreign))
        preview.show_frame(pixels(4, 4), 4, 4, caption=foreign)
        await pilot.pause()
        preview.show_empty([foreign], key=foreign)
        await pilot.pause()

        assert "\x1b" not in words(preview)
        assert foreign.replace("\x1b", "␛").replace("\x07", "␇") in words(preview)


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (3, 40), (200, 60)])
async def test_no_pane_is_too_small_or_too_large(stage: Stage, size: tuple[int, int]) -> None:
    preview = Preview()
    async with stage(preview).run_test(size=size) as pilot:
        preview.show_frame(pixels(50, 31), 50, 31)
        await pilot.pause()
        canvas = preview.query_one("#preview-canvas")

        assert 1 <= canvas.region.width <= size[0]
        assert 1 <= canvas.region.height <= size[1]


async def test_a_screenshot_shows_the_picture_in_its_colours(stage: Stage) -> None:
    preview = Preview()
    app = stage(preview)
    async with app.run_test(size=(10, 5)) as pilot:
        preview.show_frame(bytes([200, 10, 20]) * 16, 4, 4)
        await pilot.pause()

        assert "#c80a14" in app.export_screenshot()


async def test_over_a_slow_link_previews_are_smaller_and_the_picture_is_not(stage: Stage) -> None:
    preview = Preview()
    async with stage(preview).run_test(size=(80, 24)) as pilot:
        preview.link.carried(2.0)
        preview.show_frame(pixels(32, 32), 32, 32)
        await pilot.pause()
        canvas = preview.query_one("#preview-canvas")
        assert canvas.region.size == (24, 12)

        preview.show_frame(pixels(32, 32), 32, 32, final=True)
        await pilot.pause()
        assert canvas.region.size == (48, 24)


async def test_another_renderer_is_a_key_away_and_says_its_name(stage: Stage) -> None:
    preview = Preview()
    async with stage(preview).run_test(size=(20, 10)) as pilot:
        preview.show_frame(random.Random(0).randbytes(192), 8, 8)
        await pilot.pause()
        assert preview.link_figures().startswith("half (auto)")

        assert [preview.next_renderer() for _ in range(3)] == ["half", "quadrant", "sextant"]
        await pilot.pause()
        assert preview.link_figures().startswith("sextant")
        strips = pilot.app.screen._compositor.render_strips()
        assert any(ord(character) > 0x1FB00 for strip in strips for character in strip.text)
