"""The preview on a real pty: right in every cell, whatever comes to lie over it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from sdtui.tui.renderers import Frame, fit
from sdtui.tui.renderers.palettes import EIGHT_BIT
from sdtui.tui.renderers.scaling import scaled
from sdtui.tui.widgets.pixel_canvas import TOLERANCE
from tests.tui.widgets.colour_terminal import NO_COLOUR, ColourTerminal, Pixel
from tests.tui.widgets.preview_app import PICTURE, pixels

Place = tuple[int, int]

SEEN = 4 * TOLERANCE
"""What a cell may be off while the whole picture changes; noise is much further from noise."""

BOX = (25, 4, 17, 6)


def frame(number: int) -> Frame:
    return Frame(pixels(number), *PICTURE)


def expected_cells(seed: int, columns: int, rows: int) -> dict[Place, tuple[Pixel, Pixel]]:
    """Each picture cell's place and its two pixels, on a screen with one line below the pane."""
    wide, high = fit(*PICTURE, columns, rows - 1)
    left, top = (columns - wide) // 2, (rows - 1 - high) // 2
    picture = scaled(frame(seed), wide, high * 2)
    return {
        (left + x, top + y): (picture.getpixel((x, 2 * y)), picture.getpixel((x, 2 * y + 1)))
        for y in range(high)
        for x in range(wide)
    }


def wrong_cells(
    terminal: ColourTerminal,
    seed: int,
    columns: int = 80,
    rows: int = 24,
    *,
    covered: Callable[[int, int], bool] = lambda x, y: False,
    dim: float = 1.0,
    tolerance: float = SEEN,
) -> list[Place]:
    """The cells, of those not covered, without their pixels' colours times `dim`."""
    return [
        place
        for place, pixels in expected_cells(seed, columns, rows).items()
        if not covered(*place)
        and any(
            abs(channel - wanted * dim) > tolerance
            for colour, pixel in zip(terminal.pixels(*place), pixels, strict=True)
            for channel, wanted in zip(colour, pixel, strict=True)
        )
    ]


def in_box(x: int, y: int) -> bool:
    left, top, width, height = BOX
    return left <= x < left + width and top <= y < top + height


def in_dialog(x: int, y: int) -> bool:
    return 30 <= x < 50 and 9 <= y < 15


def test_overlays_dialogs_and_themes_leave_every_cell_right(
    open_terminal: Callable[..., ColourTerminal],
) -> None:
    terminal = open_terminal("preview_app.py", 80, 24)
    terminal.wait_for("size 80x24")

    terminal.send("n")
    terminal.wait_for("frame 1 painted")
    assert not wrong_cells(terminal, 1)

    terminal.send("o")
    terminal.wait_for("box shown")
    assert not wrong_cells(terminal, 1, covered=in_box)
    assert {terminal.pixels(x, 5)[1] for x in range(25, 42)} == {(0x40, 0x50, 0x60)}

    terminal.send("n")
    terminal.wait_for("frame 2 painted")
    assert not wrong_cells(terminal, 2, covered=in_box)
    assert {terminal.pixels(x, 5)[1] for x in range(25, 42)} == {(0x40, 0x50, 0x60)}

    terminal.send("o")
    terminal.wait_for("box hidden")
    assert not wrong_cells(terminal, 2)

    terminal.send("d")
    terminal.wait_for("dialog open")
    assert not wrong_cells(terminal, 2, covered=in_dialog, dim=0.5, tolerance=SEEN)

    terminal.send("n\x1b")
    terminal.wait_for(lambda _: not wrong_cells(terminal, 3))

    terminal.send("t")
    terminal.wait_for("light")
    assert not wrong_cells(terminal, 3)
    assert terminal.pixels(0, 0)[1] == (0xFA, 0xF9, 0xF6)


def test_small_changes_are_sent_as_such_and_leave_every_cell_right(
    open_terminal: Callable[..., ColourTerminal],
) -> None:
    terminal = open_terminal("preview_app.py", 80, 24)
    terminal.wait_for("size 80x24")
    terminal.send("n")
    terminal.wait_for("frame 1 painted")

    def show_another(number: int) -> int:
        before = len(terminal.output)
        terminal.send("v")
        terminal.wait_for(f"frame {number} painted")
        return len(terminal.output) - before

    whole = len(terminal.output)
    assert show_another(11) < whole / 4
    assert not wrong_cells(terminal, 11)

    terminal.send("o")
    terminal.wait_for("box shown")
    show_another(21)
    assert not wrong_cells(terminal, 21, covered=in_box)
    assert {terminal.pixels(x, 5)[1] for x in range(25, 42)} == {(0x40, 0x50, 0x60)}

    terminal.send("o")
    terminal.wait_for("box hidden")
    assert show_another(31) < whole / 4
    assert not wrong_cells(terminal, 31)

    terminal.send("d")
    terminal.wait_for("dialog open")
    terminal.send("v\x1b")
    terminal.wait_for(lambda _: not wrong_cells(terminal, 41))

    terminal.resize(61, 30)
    terminal.wait_for("size 61x30")
    terminal.send("v")
    terminal.wait_for(lambda _: not wrong_cells(terminal, 51, 61, 30))


def test_a_picture_is_whole_again_after_the_shell_had_the_terminal(
    open_terminal: Callable[..., ColourTerminal],
) -> None:
    terminal = open_terminal("preview_app.py", 80, 24)
    terminal.wait_for("size 80x24")
    terminal.send("n")
    terminal.wait_for("frame 1 painted")
    terminal.send("v")
    terminal.wait_for("frame 11 painted")

    terminal.send("z")
    os.waitpid(terminal.process.pid, os.WUNTRACED)
    terminal.erase()
    terminal.process.send_signal(signal.SIGCONT)

    terminal.wait_for(lambda _: not wrong_cells(terminal, 11))


def test_the_picture_fits_every_new_size_of_the_terminal(
    open_terminal: Callable[..., ColourTerminal],
) -> None:
    terminal = open_terminal("preview_app.py", 80, 24)
    terminal.wait_for("size 80x24")
    terminal.send("n")
    terminal.wait_for("frame 1 painted")

    for columns, rows in [(50, 40), (100, 12), (31, 17), (120, 40)]:
        terminal.resize(columns, rows)
        terminal.wait_for(lambda _: not wrong_cells(terminal, 1, columns, rows))  # noqa: B023


def test_a_terminal_of_256_colours_gets_only_those(
    open_terminal: Callable[..., ColourTerminal],
) -> None:
    terminal = open_terminal("preview_app.py", 60, 20, COLORTERM="")
    terminal.wait_for("size 60x20")

    terminal.send("n")
    terminal.wait_for("frame 1 painted")

    known = set(EIGHT_BIT.rgb)
    shown = {c for place in expected_cells(1, 60, 20) for c in terminal.pixels(*place)}
    assert shown <= known
    assert not wrong_cells(terminal, 1, 60, 20, tolerance=64)


def test_without_colour_the_picture_is_made_of_characters(
    open_terminal: Callable[..., ColourTerminal],
) -> None:
    terminal = open_terminal("preview_app.py", 60, 20, NO_COLOR="1")
    terminal.wait_for("size 60x20")

    terminal.send("n")
    terminal.wait_for("frame 1 painted")

    assert "▀" not in terminal.text
    inks = {terminal.pixels(*place)[0] for place in expected_cells(1, 60, 20)} - {NO_COLOUR}
    assert len(inks) <= 2
