"""The link is counted as it is, kept to its limit, and given smaller pictures when it is slow."""

from __future__ import annotations

import pytest

from sdtui.errors import ParameterError
from sdtui.tui.link import Link, byte_limit


class Clock:
    """A clock that the test turns."""

    now = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def test_frames_and_bytes_are_those_of_the_last_seconds() -> None:
    clock = Clock()
    link = Link(clock=clock)
    for _ in range(20):
        link.sent(10_000)
        clock.now += 0.1

    assert link.frames_per_second == pytest.approx(10, abs=0.5)
    assert link.bytes_per_second == pytest.approx(100_000, rel=0.05)
    assert link.figures()[:1] == ["10 frames/s"]

    clock.now += 3
    assert link.figures() == []
    link.sent(10_000)
    assert link.figures()[:1] == ["0.5 frames/s"]


def test_a_limit_spaces_the_frames_by_their_size() -> None:
    clock = Clock()
    link = Link(50_000, clock)
    assert link.wait_seconds == 0

    link.sent(25_000)
    assert link.wait_seconds == pytest.approx(0.5)
    clock.now += 0.5
    assert link.wait_seconds == 0

    sent, started = 0, clock.now
    while clock.now < started + 60:
        clock.now += link.wait_seconds + 0.01
        link.sent(7_000)
        sent += 7_000
    assert sent <= 50_000 * (clock.now - started) + 7_000


def test_without_a_limit_nothing_waits() -> None:
    link = Link()
    link.sent(10**9)
    assert link.wait_seconds == 0


def test_a_slow_link_gets_smaller_pictures_and_a_quick_one_larger_ones_again() -> None:
    link = Link()
    link.round_trip = 0.3

    link.carried(0.6)
    assert link.scale == 1.0
    for _ in range(20):
        link.carried(2.0)
    smallest = link.scale
    assert 0.3 < smallest < 0.5
    for _ in range(20):
        link.carried(0.35)
    assert link.scale == 1.0


def test_one_preview_that_took_far_too_long_is_enough() -> None:
    link = Link()
    link.carried(2.0)
    assert link.scale == pytest.approx(0.5)


@pytest.mark.parametrize("bytes_per_second", [20_000, 50_000, 120_000, 1_000_000])
def test_a_steady_link_comes_to_a_steady_size(bytes_per_second: int) -> None:
    link = Link()
    scales = []
    for _ in range(40):
        size = round(14_000 * link.scale**2)
        link.carried(size / bytes_per_second)
        scales.append(link.scale)

    assert len(set(scales[10:])) == 1


def test_previews_that_never_came_are_counted_for_each_job() -> None:
    link = Link()
    link.begin(preview_every=1)
    for step_index in (0, 1, 4, 5, 9):
        link.preview_came(step_index)
    assert link.left_out == 5
    assert link.figures() == ["5 left out"]

    link.begin(preview_every=5)
    for step_index in (4, 9, 24):
        link.preview_came(step_index)
    assert link.left_out == 2


def test_previews_from_before_the_job_was_watched_are_not_counted() -> None:
    link = Link()
    link.begin(preview_every=1)
    for step_index in (11, 12, 15):
        link.preview_came(step_index)
    assert link.left_out == 2

    link.join()
    link.begin(preview_every=1)
    link.preview_came(24)
    assert link.left_out == 0
    link.begin(preview_every=1)
    link.preview_came(2)
    assert link.left_out == 2


def test_a_limit_that_is_no_number_is_refused() -> None:
    assert byte_limit({}) == 0
    assert byte_limit({"SDTUI_MAX_BYTES_PER_SECOND": "50000"}) == 50_000
    with pytest.raises(ParameterError, match="fast"):
        byte_limit({"SDTUI_MAX_BYTES_PER_SECOND": "fast"})
