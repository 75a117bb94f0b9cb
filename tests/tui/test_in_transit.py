"""How much is on the way to the terminal is known from its answers."""

from __future__ import annotations

import pytest

from sdtui.tui.in_transit import InTransit
from tests.tui.slow_terminal import ROUND_TRIP, Clock, SlowTerminal


def well_known(rate: float) -> SlowTerminal:
    """A terminal of whose link enough has been measured."""
    terminal = SlowTerminal(rate)
    assert terminal.in_transit.allowance == float("inf")
    for _ in range(10):
        terminal.take(20_000)
    return terminal


@pytest.mark.parametrize("rate", [50_000, 250_000, 5_000_000])
def test_what_may_be_on_the_way_is_what_the_link_carries_in_a_moment(rate: float) -> None:
    terminal = well_known(rate)

    assert terminal.in_transit.allowance == pytest.approx(rate * 0.08, rel=0.2)
    terminal.in_transit.wrote(int(rate * ROUND_TRIP / 2))
    terminal.in_transit.asked()
    assert not terminal.in_transit.is_too_much
    terminal.in_transit.wrote(int(rate / 5))
    assert terminal.in_transit.is_too_much
    terminal.clock.now += ROUND_TRIP
    terminal.in_transit.answered()
    assert not terminal.in_transit.is_too_much


def test_an_answer_that_is_late_holds_back_what_is_little() -> None:
    terminal = SlowTerminal(1_000_000)
    terminal.take(20_000)
    terminal.in_transit.wrote(3_000)
    terminal.in_transit.asked()
    assert not terminal.in_transit.is_too_much

    terminal.clock.now += ROUND_TRIP + 1
    assert terminal.in_transit.is_too_much


def test_a_terminal_that_never_answers_is_not_waited_for() -> None:
    clock = Clock()
    in_transit = InTransit(clock)
    in_transit.asked()
    for _ in range(100):
        in_transit.wrote(50_000)
        clock.now += 1
        assert not in_transit.is_too_much
        assert not in_transit.wants_to_ask


def test_an_answer_to_nothing_is_no_answer() -> None:
    terminal = SlowTerminal(50_000)
    terminal.in_transit.answered()

    assert not terminal.in_transit.is_too_much
    assert terminal.in_transit.allowance == float("inf")


def test_small_things_are_not_asked_about() -> None:
    terminal = SlowTerminal(50_000)
    terminal.in_transit.wrote(500)
    assert not terminal.in_transit.wants_to_ask

    terminal.in_transit.wrote(2_000)
    assert terminal.in_transit.wants_to_ask


def test_a_question_that_came_back_sooner_than_any_says_nothing_of_the_rate() -> None:
    terminal = well_known(50_000)
    before = terminal.in_transit.allowance

    terminal.in_transit.wrote(5_000)
    terminal.in_transit.asked()
    terminal.clock.now += ROUND_TRIP / 2
    terminal.in_transit.answered()

    assert terminal.in_transit.allowance == before


def test_little_things_at_long_intervals_hold_nothing_back() -> None:
    terminal = well_known(50_000)
    before = terminal.in_transit.allowance

    for _ in range(30):
        terminal.in_transit.wrote(300)
        if terminal.in_transit.wants_to_ask:
            terminal.in_transit.asked()
        assert not terminal.in_transit.is_too_much
        terminal.clock.now += 1
        terminal.in_transit.answered()

    assert terminal.in_transit.allowance == before


def test_pieces_with_pauses_between_them_say_nothing_of_a_quick_links_rate() -> None:
    terminal = well_known(5_000_000)
    before = terminal.in_transit.allowance

    for _ in range(60):
        terminal.in_transit.wrote(700)
        if terminal.in_transit.wants_to_ask:
            terminal.in_transit.asked()
            assert not terminal.in_transit.is_too_much
            terminal.clock.now += ROUND_TRIP
            assert not terminal.in_transit.is_too_much
            terminal.in_transit.answered()
        terminal.clock.now += 0.06

    assert terminal.in_transit.allowance == before


def test_an_answer_that_came_before_the_question_is_none_to_it() -> None:
    terminal = SlowTerminal(1_000_000)
    came = terminal.clock.now + 0.1
    terminal.clock.now += 0.3
    terminal.in_transit.wrote(3_000)
    terminal.in_transit.asked()
    terminal.in_transit.answered(came)

    assert terminal.in_transit.round_trip == pytest.approx(ROUND_TRIP)
    terminal.clock.now += ROUND_TRIP + 0.2
    assert terminal.in_transit.is_too_much
    terminal.in_transit.answered()
    assert not terminal.in_transit.is_too_much


def test_an_answer_to_what_was_asked_again_is_none_to_a_later_question() -> None:
    terminal = well_known(50_000)
    in_transit, clock = terminal.in_transit, terminal.clock
    in_transit.wrote(4_000)
    in_transit.asked()
    in_transit.wrote(12_000)
    # The link stood still, and the driver has asked once more: two answers come in one piece.
    clock.now += 12
    came = clock.now
    in_transit.answered(came, measure=False)
    clock.now += 0.0001
    in_transit.asked()
    in_transit.answered(came)
    assert in_transit.is_too_much
    assert in_transit.allowance == pytest.approx(4_000, rel=0.2)


def test_what_is_known_of_the_link_outlives_a_pause_and_what_is_on_the_way_does_not() -> None:
    terminal = well_known(50_000)
    terminal.in_transit.wrote(40_000)
    terminal.in_transit.asked()
    assert terminal.in_transit.is_too_much

    after = terminal.in_transit.begin_again()
    assert not after.is_too_much
    assert not after.has_answered
    assert after.allowance == terminal.in_transit.allowance


def test_an_answer_counts_from_when_it_came_however_late_it_is_heard_of() -> None:
    terminal = well_known(1_000_000)
    before = terminal.in_transit.allowance

    for _ in range(5):
        terminal.in_transit.wrote(20_000)
        terminal.in_transit.asked()
        came = terminal.clock.now + ROUND_TRIP + 0.02
        terminal.clock.now = came + 1
        terminal.in_transit.answered(came)

    assert terminal.in_transit.allowance == pytest.approx(before, rel=0.1)


def test_an_answer_that_may_be_an_earlier_ones_teaches_nothing_and_frees_the_way() -> None:
    terminal = well_known(50_000)
    allowance = terminal.in_transit.allowance
    terminal.in_transit.wrote(40_000)
    terminal.in_transit.asked()
    assert terminal.in_transit.is_too_much
    terminal.clock.now += 0.001
    terminal.in_transit.answered(measure=False)
    assert not terminal.in_transit.is_too_much
    assert terminal.in_transit.allowance == allowance
    # Had the millisecond been taken for the round trip, this would be late.
    terminal.in_transit.wrote(10)
    terminal.in_transit.asked()
    terminal.clock.now += ROUND_TRIP + 0.1
    assert not terminal.in_transit.is_too_much
