"""A place says where the thing stands, and every other pixel stays empty."""

from __future__ import annotations

import pytest
import torch

from training.pictures import Things, View, place_pictures
from training.places import CENTRED, PLACES, put

#: An opaque square that fills its picture.
FULL = torch.full((1, 4, 64, 64), 200, dtype=torch.uint8)


def box(pictures: torch.Tensor) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is not empty."""
    rows, columns = pictures[0, 3].nonzero(as_tuple=True)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def test_centred_changes_nothing() -> None:
    assert put(FULL, CENTRED) is FULL


def test_small_is_half_as_large_and_in_the_middle() -> None:
    assert box(put(FULL, "small")) == (16, 16, 48, 48)


@pytest.mark.parametrize("name", [name for name in PLACES if " " in name])
def test_a_corner_is_where_its_name_says(name: str) -> None:
    left, top, right, bottom = box(put(FULL, name))
    assert (right - left, bottom - top) == (32, 32)
    assert (left < 64 - right) == ("left" in name)
    assert (top < 64 - bottom) == ("top" in name)


def test_small_ones_stand_whole_latents_apart() -> None:
    large = torch.full((1, 4, 128, 128), 200, dtype=torch.uint8)
    corners = {box(put(large, name))[:2] for name in PLACES if name != CENTRED}
    assert corners == {(left, top) for left in (8, 56) for top in (8, 56)} | {(32, 32)}


def test_each_view_gets_its_own_place() -> None:
    things = Things(torch.cat([FULL, FULL // 2]), ("fox", "cat"), ((0, "3d"), (1, "3d")))
    chosen = [View(1, "small"), View(0, CENTRED), View(0, "small")]
    placed = place_pictures(things, chosen)
    for row, view in enumerate(chosen):
        expected = put(things.pictures[[view.picture]], view.place)[0]
        assert torch.equal(placed[row], expected)
    assert things.pictures[0].min() == 200
