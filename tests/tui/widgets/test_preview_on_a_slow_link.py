"""A link that is too slow for the previews gets smaller ones, and still every one of them."""

from __future__ import annotations

import random

import pytest
from textual.app import App
from textual.pilot import Pilot

from sdtui.tui import frame_pace
from sdtui.tui.renderers import Frame
from sdtui.tui.renderers.scaling import scaled
from sdtui.tui.widgets.pixel_canvas import PixelCanvas
from sdtui.tui.widgets.preview import Preview
from tests.tui.slow_terminal import ROUND_TRIP, Clock

SIDE = 128
SLOW_SECONDS = 0.5
"""What a preview may take on the link before the next is smaller."""


def painting(seed: int) -> bytes:
    """Soft fields of colour, other ones for every seed."""
    noise = Frame(random.Random(seed).randbytes(32 * 32 * 3), 32, 32)
    return scaled(noise, SIDE, SIDE).tobytes()


class WatchedPreview(Preview):
    """A preview whose terminal answers when what was sent has come over a link of some rate."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._count_sent = self.link.sent
        self.link.sent = self._sent  # type: ignore[method-assign]
        self.link.round_trip = ROUND_TRIP
        self.sizes: list[int] = []
        self.asked_for = 0

    def _ask_for_another(self) -> None:
        super()._ask_for_another()
        self.asked_for += 1

    def _sent(self, size: int) -> None:
        self.sizes.append(size)
        self._count_sent(size)

    @property
    def pixels(self) -> int:
        """How many of the terminal's or of the picture's pixels the preview has."""
        canvas = self.query_one(PixelCanvas)
        frame = canvas.frame
        assert frame is not None
        if self.renderer_name == "kitty":
            return frame.width * frame.height
        return canvas.region.area

    async def show_one(self, pilot: Pilot[None], rate: float) -> float:
        """Show another preview, and have the terminal answer; its seconds on the link."""
        number = len(self.sizes)
        self.show_frame(painting(number), SIDE, SIDE)
        while len(self.sizes) == number:
            await pilot.pause(0.01)
        seconds = self.sizes[-1] / rate
        self._clock.now += ROUND_TRIP + seconds
        self.terminal_answered()
        await pilot.pause()
        return seconds


@pytest.mark.parametrize("renderer", ["half", "quadrant", "sextant", "kitty", "sixel"])
async def test_previews_get_smaller_before_they_get_rarer_and_larger_again(
    stage: type[App[None]], monkeypatch: pytest.MonkeyPatch, renderer: str
) -> None:
    clock = Clock()
    monkeypatch.setattr(frame_pace, "monotonic", clock)
    monkeypatch.setenv("SDTUI_RENDERER", renderer)
    preview = WatchedPreview(clock)
    async with stage(preview).run_test(size=(80, 30)) as pilot:
        preview.terminal_answered()
        # The first one is of another kind: the compositor paints it.
        for _ in range(3):
            await preview.show_one(pilot, rate=1e9)
        largest, rate = preview.pixels, preview.sizes[-1] / 1.5

        seconds = [await preview.show_one(pilot, rate) for _ in range(20)]
        assert seconds[0] > SLOW_SECONDS
        assert max(seconds[-5:]) <= SLOW_SECONDS
        assert preview.pixels < largest / 2
        assert preview.asked_for == 23

        for _ in range(20):
            await preview.show_one(pilot, rate=1e9)
        assert preview.pixels == largest
