"""Where the model computes on the CPU, the interface keeps to its share of that."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sdtui.protocol.events import LatentsDrawn
from sdtui.tui import cpu_share as room
from sdtui.tui.cpu_share import (
    AT_ONCE_SECONDS,
    LONGEST_WAIT_SECONDS,
    SHARE,
    SHORTEST_WAIT_SECONDS,
    CpuShare,
    cpu_share,
)
from sdtui.tui.pace import FIGURES_PER_SECOND
from tests.tui.fake_engine import FakeEngineClient, before_the_loop, ending, step
from tests.tui.stage import opened, params


@dataclass
class Day:
    """A clock, and how much of the CPU was used by it."""

    now: float = 0.0
    spent: float = 0.0

    def share(self) -> CpuShare:
        """A limited share of this day."""
        share = CpuShare(lambda: self.now, lambda: self.spent)
        share.limit(True)
        return share

    def use(self, seconds: float) -> None:
        """Compute without a pause."""
        self.now += seconds
        self.spent += seconds


COSTS = st.lists(st.floats(0.0005, LONGEST_WAIT_SECONDS * SHARE), min_size=1, max_size=200)


@given(COSTS, st.floats(0.0, 0.2))
def test_whoever_waits_as_long_as_told_uses_no_more_than_the_share(
    costs: list[float], pause: float
) -> None:
    day = Day()
    share = day.share()
    for cost in costs:
        day.now += max(pause, share.wait_seconds())
        day.use(cost)
    # Those of the first second, of which no more than ten come, need not wait for their share.
    assert day.spent <= AT_ONCE_SECONDS + SHARE * day.now + 10 * max(costs) + 1e-9


def test_a_picture_of_a_second_is_seen_to_form_though_its_first_preview_is_dear() -> None:
    day = Day()
    share = day.share()
    begins: list[float] = []
    day.use(10 * AT_ONCE_SECONDS)
    while day.now < 1.2:
        begins.append(day.now)
        day.now += share.wait_seconds()
        day.use(0.005)
    assert len(begins) >= 4
    assert all(after <= 1.8 * before for before, after in pairwise(begins))


def test_a_pause_allows_for_a_burst_and_no_more() -> None:
    day = Day()
    share = day.share()
    day.now += 1000
    day.use(AT_ONCE_SECONDS)
    assert share.wait_seconds() == SHORTEST_WAIT_SECONDS
    day.use(0.003)
    assert share.wait_seconds() == pytest.approx(0.003 / SHARE - 0.003)


def test_what_was_typed_for_long_is_not_waited_for_for_long() -> None:
    day = Day()
    share = day.share()
    day.use(10)
    assert share.wait_seconds() == LONGEST_WAIT_SECONDS
    day.now += LONGEST_WAIT_SECONDS
    assert share.wait_seconds() == SHORTEST_WAIT_SECONDS


def test_nothing_is_counted_while_nothing_is_limited() -> None:
    day = Day()
    share = day.share()
    share.limit(False)
    day.use(10)
    assert share.wait_seconds() == 0
    share.limit(True)
    assert share.wait_seconds() == SHORTEST_WAIT_SECONDS
    day.use(AT_ONCE_SECONDS / 2)
    assert share.wait_seconds() == SHORTEST_WAIT_SECONDS


@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
async def test_the_cores_are_shared_while_a_model_on_the_cpu_denoises(device: str) -> None:
    engine = FakeEngineClient(stop_after=5)
    async with opened(engine, start=params()) as stage:
        share = cpu_share(stage.app)
        await stage.press("enter")
        await stage.until_shown("x0 at step 5")
        assert share.is_limited
        (drawn,) = (e for e in before_the_loop("2", params()) if isinstance(e, LatentsDrawn))
        engine.tell(replace(drawn, job_id=stage.main.bridge.running, device=device))
        await stage.until(lambda: share.is_limited == (device == "cpu"))
        engine.finish()
        await stage.until_shown("done in")
        await stage.until(lambda: not share.is_limited)


async def test_previews_and_figures_wait_for_their_share_and_the_picture_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    day = Day()
    engine = FakeEngineClient(stop_after=5)
    async with opened(engine, start=params(), size=(120, 40)) as stage:
        await stage.press("enter")
        await stage.until_shown("x0 at step 5")
        await stage.until_shown("5/25")
        job_id = stage.main.bridge.running
        due_within = LONGEST_WAIT_SECONDS + 2 / FIGURES_PER_SECOND
        # This day stands still, so that what waits for it waits for ever.
        monkeypatch.setattr(room, "LONGEST_WAIT_SECONDS", 3600.0)
        monkeypatch.setitem(room._shares, stage.app, day.share())
        day.use(100)
        # What is due already comes.
        await stage.pilot.pause(due_within)

        answered = engine.calls.count(("grant_preview",))
        before = stage.main.run_view.preview.frame
        engine.tell(*step(job_id, params(), 5))
        await stage.until(lambda: stage.main.run_view.preview.frame != before)
        # A frame that comes all the same brings the figures along.
        await stage.until_shown("6/25")
        engine.tell(*step(job_id, params(), 6)[:1])
        await stage.pilot.pause(due_within)
        assert engine.calls.count(("grant_preview",)) == answered
        assert "7/25" not in stage.text

        engine.tell(*ending(job_id))
        await stage.until_shown("done in")
