"""Wide characters and emoji in the prompt move nothing on a real terminal's screen."""

from __future__ import annotations

import numpy as np

from sdtui.tui.renderers import Frame, fit
from sdtui.tui.renderers.scaling import scaled
from sdtui.tui.widgets.pixel_canvas import TOLERANCE
from tests.terminals.preview_pane import picture_in
from tests.tui.fake_engine import disc
from tests.tui.lives.interfaces import GENERATE, with_a_fake_engine

PROMPT = "林檎 🍎 на ё 한글 "
STOPPED_AFTER, STEPS = 12, 25
PICTURE = 32


def test_every_border_and_every_pixel_is_where_it_would_be() -> None:
    with with_a_fake_engine() as terminal:
        terminal.wait_for("ready")
        terminal.send(f"\x1b[H{PROMPT}")
        terminal.wait_for(PROMPT.rstrip())
        terminal.send(GENERATE)
        terminal.wait_for(f"{STOPPED_AFTER}/{STEPS}")
        screen = terminal.screen

        boxes = [row for row in range(screen.lines) if screen.buffer[row][0].data in "╭│├╰"]
        assert len(boxes) > 20
        last = screen.columns - 1
        assert {screen.buffer[row][last].data for row in boxes} <= set("╮│┤╯")

        def is_shown(_: str) -> bool:
            pane = picture_in(screen)
            rows, columns = pane.shape[:2]
            wide, high = fit(PICTURE, PICTURE, columns, rows)
            frame = Frame(disc(PICTURE, STOPPED_AFTER / STEPS), PICTURE, PICTURE)
            wanted = np.asarray(scaled(frame, wide, high * 2)).reshape(high, 2, wide, 3)
            left, top = (columns - wide) // 2, (rows - high) // 2
            shown = pane[top : top + high, left : left + wide]
            return bool((np.abs(shown - wanted.swapaxes(1, 2)) <= 4 * TOLERANCE).all())

        terminal.wait_for(is_shown)
