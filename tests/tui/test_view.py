"""What of a picture a view shows: always a part of it, in its shape, and never nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdtui.tui.renderers import fit
from sdtui.tui.view import FITTED, ZOOMS, Pane, View

SIDES = st.integers(min_value=1, max_value=2048)
PANES = st.builds(
    Pane,
    columns=st.integers(min_value=1, max_value=300),
    rows=st.integers(min_value=1, max_value=120),
    aspect=st.floats(min_value=1.5, max_value=2.6),
    pixels=st.sampled_from([(1, 2), (2, 2), (2, 3), (1, 1), (10, 20), (7, 15)]),
)
PLACES = st.floats(min_value=0.0, max_value=1.0)
VIEWS = st.builds(View, exact=st.booleans(), zoom=st.sampled_from(ZOOMS), x=PLACES, y=PLACES)
HALF_BLOCKS = Pane(80, 24, 2.0, (1, 2))


@given(VIEWS, SIDES, SIDES, PANES)
def test_what_is_seen_is_a_part_of_the_picture_and_fills_cells_of_the_pane(
    view: View, width: int, height: int, pane: Pane
) -> None:
    window = view.window(width, height, pane)
    assert 0 <= window.left <= window.left + window.width <= width + 1e-6
    assert 0 <= window.top <= window.top + window.height <= height + 1e-6
    assert window.width > 0
    assert window.height > 0
    assert 1 <= window.columns <= pane.columns
    assert 1 <= window.rows <= pane.rows


@given(VIEWS, SIDES, SIDES, PANES)
def test_pixels_keep_their_shape_within_half_a_cell(
    view: View, width: int, height: int, pane: Pane
) -> None:
    """But for a picture that is thinner than a cell, which gets one all the same."""
    window = view.window(width, height, pane)
    if window.enlarged is not None:
        return
    a_pixel = view.zoom * min(pane.columns / width, pane.rows * pane.aspect / height)
    for cells, pixels, cell in (
        (window.columns, window.width, 1.0),
        (window.rows, window.height, pane.aspect),
    ):
        assert cells == 1 or abs(cells * cell - pixels * a_pixel) <= cell / 2 + 1e-6


def shape(across: int, down: int, pane: Pane) -> float:
    """How much wider than high so many of the terminal's pixels are."""
    return (across / pane.pixels[0]) / (down * pane.aspect / pane.pixels[1])


@given(VIEWS, SIDES, SIDES, PANES)
def test_exact_pixels_are_whole_and_about_square(
    view: View, width: int, height: int, pane: Pane
) -> None:
    window = replace(view, exact=True).window(width, height, pane)
    assert window.enlarged is not None
    for value in (window.left, window.top, window.width, window.height):
        assert value == int(value)
    across, down = window.enlarged
    assert 5 / 7 < shape(across, down, pane) < 7 / 5
    # All that is seen has a place, unless one pixel is larger than the pane.
    assert window.width == 1 or window.width * across <= window.columns * pane.pixels[0]
    assert window.height == 1 or window.height * down <= window.rows * pane.pixels[1]


@given(VIEWS, SIDES, SIDES, PANES, st.lists(st.sampled_from(["left", "right", "up", "down"])))
def test_no_way_leads_out_of_the_picture_and_each_leads_back(
    view: View, width: int, height: int, pane: Pane, ways: list[str]
) -> None:
    steps = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
    for way in ways:
        view = view.panned(*steps[way], width, height, pane)
        assert 0 <= view.x <= 1
        assert 0 <= view.y <= 1
    # At an edge no step leads on, and the first step back moves.
    view = replace(view, x=1.0, y=1.0)
    window = view.window(width, height, pane)
    assert window.left + window.width == pytest.approx(width)
    on = view.panned(1, 1, width, height, pane).window(width, height, pane)
    assert (on.left, on.top) == pytest.approx((window.left, window.top))
    back = view.panned(-1, -1, width, height, pane).window(width, height, pane)
    assert back.left < window.left or window.width == width
    assert back.top < window.top or window.height == height


@given(SIDES, SIDES, PANES)
def test_a_fitted_picture_is_the_largest_whole_one(width: int, height: int, pane: Pane) -> None:
    window = FITTED.window(width, height, pane)
    assert (window.left, window.top, window.width, window.height) == (0, 0, width, height)
    cells = fit(width, height, pane.columns, pane.rows, pane.aspect)
    assert (window.columns, window.rows) == cells


@given(VIEWS, st.integers(1, 256), st.integers(1, 256), PANES, st.integers(2, 8))
def test_a_smaller_copy_of_a_picture_fills_the_same_cells(
    view: View, width: int, height: int, pane: Pane, times: int
) -> None:
    """A fitted preview does not jump when its picture comes."""
    fitted = replace(view, exact=False)
    small = fitted.window(width, height, pane)
    large = fitted.window(width * times, height * times, pane)
    assert abs(small.columns - large.columns) <= 1
    assert abs(small.rows - large.rows) <= 1
    # A whole side is so many pixels, and a part of it as many as its cells hold.
    assert large.left / times == pytest.approx(small.left, abs=width / small.columns + 1e-6)


@pytest.mark.parametrize(
    ("pixels", "enlarged", "cells"),
    [
        ((1, 2), (1, 1), (80, 24)),
        # A quadrant is half as wide as high, so that two of them are one pixel.
        ((2, 2), (2, 1), (80, 24)),
        # A sextant is three quarters as wide as high.
        ((2, 3), (3, 2), (80, 24)),
        ((10, 20), (1, 1), (13, 7)),
    ],
)
def test_exact_pictures_take_the_cells_of_their_pixels(
    pixels: tuple[int, int], enlarged: tuple[int, int], cells: tuple[int, int]
) -> None:
    window = View(exact=True).window(128, 128, Pane(80, 24, 2.0, pixels))
    assert window.enlarged == enlarged
    assert (window.columns, window.rows) == cells


@given(
    st.floats(min_value=1.8, max_value=2.3),
    st.sampled_from([(1, 2), (2, 2), (2, 3), (10, 20), (8, 16)]),
)
def test_exact_pixels_look_square_in_usual_cells_and_no_fewer_would(
    aspect: float, pixels: tuple[int, int]
) -> None:
    pane = Pane(300, 120, aspect, pixels)
    window = View(exact=True).window(64, 64, pane)
    assert window.enlarged is not None
    across, down = window.enlarged
    assert 6 / 7 - 1e-9 <= shape(across, down, pane) <= 7 / 6 + 1e-9
    for fewer in range(1, across * down):
        for narrow in (side for side in range(1, fewer + 1) if not fewer % side):
            assert not 6 / 7 < shape(narrow, fewer // narrow, pane) < 7 / 6


def test_zooming_goes_step_by_step_and_ends_somewhere() -> None:
    view = FITTED
    assert view.zoomed(-1) == view
    for _ in ZOOMS:
        view = view.zoomed(1)
    assert view.zoom == ZOOMS[-1]
    assert view.zoomed(-len(ZOOMS)) == FITTED


def test_the_words_say_what_is_seen_and_where() -> None:
    assert FITTED.words(64, 64, HALF_BLOCKS) == "fitted"
    assert View(zoom=2, x=0.0).words(64, 64, HALF_BLOCKS) == "zoom ×2 →0% ↓50%"
    assert View(exact=True).words(32, 32, HALF_BLOCKS) == "exact"
    assert View(exact=True, zoom=4, y=1.0).words(16, 16, HALF_BLOCKS) == "exact ×4 ↓100%"
