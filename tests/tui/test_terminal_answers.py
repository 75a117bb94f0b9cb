"""The terminal's answers are taken out of the keys, and make the choice of the renderer."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events
from textual.messages import TerminalSupportsSynchronizedOutput

from sdtui.errors import ParameterError
from sdtui.tui.renderers.choice import (
    AUTO,
    RendererChoice,
    best,
    has_placeholders,
    speaks_ascii,
    wanted_renderer,
)
from sdtui.tui.terminal_answers import (
    KITTY_QUERY,
    AnswerParser,
    AnswerReader,
    TerminalAnswered,
    TerminalAnswers,
    kitty_question,
    questions,
)

KITTY = "\x1b_Gi=31;OK\x1b\\"
NO_KITTY = "\x1b_Gi=31;ENOTSUPPORTED:no\x1b\\"
NAME = "\x1bP>|kitty(0.35.2)\x1b\\"
CELL = "\x1b[6;18;9t"
SIXEL = "\x1b[?62;4;22c"
NO_SIXEL = "\x1b[?62;22c"
SYNCHRONIZED = "\x1b[?2026;2$y"


@given(
    typed=st.lists(st.sampled_from(["a", "é", "\x1b[A", "\r", "ab", "\x1b[<35;10;5M"]), max_size=5),
    cuts=st.lists(st.integers(0, 90), max_size=6),
)
def test_answers_are_taken_out_of_what_is_typed_however_reads_cut_them(
    typed: list[str], cuts: list[int]
) -> None:
    answers = [KITTY, NAME, CELL, SIXEL]
    mixed = [part for pair in zip([*typed, *[""] * 4], answers, strict=False) for part in pair]
    data = "".join([*mixed, *typed[4:]])
    bounds = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    reader = AnswerReader()

    parts = [data[a:b] for a, b in pairwise(bounds)]
    rest = "".join(reader.take(part) for part in parts)

    assert rest + reader.release() == "".join(typed)
    assert reader.answers == TerminalAnswers(
        kitty=True, sixel=True, name="kitty(0.35.2)", cell=(9, 18), is_complete=True
    )


@pytest.mark.parametrize("cut", range(2, len(CELL)))
def test_a_cells_other_size_may_be_answered_at_any_time(cut: int) -> None:
    reader = AnswerReader()
    reader.take("\x1b[6;20;10t" + SIXEL)

    assert reader.take("a" + CELL[:cut]) == "a"
    assert reader.take(CELL[cut:] + "b") == "b"
    assert reader.answers.cell == (9, 18)


def test_a_key_that_begins_like_a_cells_size_stays_a_key() -> None:
    reader = AnswerReader()
    reader.take(SIXEL)

    assert reader.take("\x1b[6") + reader.take(";5~") == "\x1b[6;5~"
    assert reader.take("\x1b") == "\x1b"


def test_a_refusal_is_no_yes_and_an_answer_of_nothing_no_size() -> None:
    reader = AnswerReader()

    reader.take(NO_KITTY + "\x1b[6;0;0t" + NO_SIXEL)

    assert reader.answers == TerminalAnswers(is_complete=True)


def test_the_first_number_of_the_attributes_is_a_class_and_no_attribute() -> None:
    reader = AnswerReader()

    reader.take("\x1b[?4c")

    assert not reader.answers.sixel


def test_the_parser_tells_answers_as_a_message_and_keys_as_keys() -> None:
    parser = AnswerParser()

    told = list(parser.feed(f"x{NAME}{SIXEL}{SYNCHRONIZED}y"))

    assert isinstance(told[0], TerminalAnswered)
    assert told[0].answers.sixel
    assert told[0].answers.name == "kitty(0.35.2)"
    assert [event.key for event in told if isinstance(event, events.Key)] == ["x", "y"]
    assert any(isinstance(event, TerminalSupportsSynchronizedOutput) for event in told)


def test_the_escape_key_waits_for_no_answer_longer_than_a_moment() -> None:
    parser = AnswerParser()

    told = list(parser.feed("\x1b"))
    while not told:
        told = list(parser.tick())

    assert [event.key for event in told if isinstance(event, events.Key)] == ["escape"]


def test_the_input_ends_with_what_was_held_back() -> None:
    parser = AnswerParser()

    told = [*parser.feed("a\x1b["), *parser.feed("")]

    assert "a" in [event.key for event in told if isinstance(event, events.Key)]
    assert parser.is_eof


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"TERM": "dumb"},
        {"TERM": "unknown"},
        {"TERM": "linux"},
        {"TERM": "xterm", "TERM_PROGRAM": "Apple_Terminal"},
    ],
)
def test_a_terminal_that_prints_what_it_does_not_know_is_asked_nothing(
    environment: dict[str, str],
) -> None:
    assert questions(environment) == ""


@pytest.mark.parametrize("name", ["", "tmux 3.5a", "XTerm(379)", "kitty(0.26.5)"])
def test_only_a_terminal_that_says_it_is_one_with_kittys_graphics_is_asked_for_them(
    name: str,
) -> None:
    assert "\x1b_" not in questions({"TERM": "xterm-256color"})
    assert questions({"TERM": "xterm-256color"}).endswith("\x1b[c")
    assert kitty_question(name, {}) == ""
    assert kitty_question("kitty(0.35.2)", {}) == KITTY_QUERY
    assert kitty_question("ghostty 1.1.3", {}) == KITTY_QUERY


def test_tmux_is_asked_to_pass_on_what_only_the_outer_terminal_knows() -> None:
    inside = {"TERM": "tmux-256color", "TMUX": "/tmp/tmux-0/default,1,0"}

    assert "\x1b_" not in questions(inside)
    assert kitty_question("kitty(0.35.2)", inside).startswith("\x1bPtmux;\x1b\x1b_G")


@pytest.mark.parametrize("name", [NAME, "\x1bP>|tmux 3.5a\x1b\\"])
@pytest.mark.parametrize("cut", range(1, len(KITTY)))
def test_what_is_asked_for_behind_the_name_is_no_key_when_it_comes(name: str, cut: int) -> None:
    reader = AnswerReader()
    reader.take(name + NO_SIXEL)

    assert reader.take("a" + KITTY[:cut]) == "a"
    assert reader.take(KITTY[cut:] + "b") == "b"
    assert reader.answers.kitty


@pytest.mark.parametrize(
    ("name", "has"),
    [
        ("kitty(0.28.0)", True),
        ("kitty(0.26.5)", False),
        ("kitty(1.0.0)", True),
        ("ghostty 1.1.3", True),
        ("WezTerm 20240203-110809-5046fc22", False),
        ("XTerm(379)", False),
        ("", False),
    ],
)
def test_placeholders_are_known_by_the_name(name: str, has: bool) -> None:
    assert has_placeholders(name) is has


@pytest.mark.parametrize(
    ("answers", "chosen"),
    [
        (TerminalAnswers(), "half"),
        (TerminalAnswers(kitty=True, name="kitty(0.35.2)"), "kitty"),
        (TerminalAnswers(kitty=True, name="WezTerm 2024"), "half"),
        (TerminalAnswers(kitty=True, sixel=True, cell=(8, 16), name="WezTerm 2024"), "sixel"),
        (TerminalAnswers(sixel=True, cell=(8, 16)), "sixel"),
        (TerminalAnswers(sixel=True), "half"),
    ],
)
def test_auto_is_the_best_that_was_answered(answers: TerminalAnswers, chosen: str) -> None:
    assert best(answers, no_color=False, ascii_only=False) == chosen
    assert best(answers, no_color=True, ascii_only=False) == "ascii"
    assert best(answers, no_color=False, ascii_only=True) == "ascii"


@pytest.mark.parametrize(
    ("environment", "ascii_only"),
    [
        ({}, False),
        ({"LANG": "C"}, True),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "POSIX"}, True),
        ({"LANG": "C", "LC_ALL": "C.UTF-8"}, False),
        ({"LANG": ""}, False),
    ],
)
def test_a_locale_of_ascii_is_believed(environment: dict[str, str], ascii_only: bool) -> None:
    assert speaks_ascii(environment) is ascii_only


def test_the_key_goes_through_what_may_work_and_back_to_auto() -> None:
    choice = RendererChoice(AUTO, TerminalAnswers(sixel=True, cell=(8, 16)))

    seen = []
    for _ in range(6):
        choice.next()
        seen.append(choice.wanted)

    assert seen == ["half", "quadrant", "sextant", "sixel", "ascii", "auto"]


def test_an_unknown_renderer_is_refused_with_those_that_there_are() -> None:
    assert wanted_renderer({}) == AUTO
    assert wanted_renderer({"SDTUI_RENDERER": "sixel"}) == "sixel"
    with pytest.raises(ParameterError, match="ReGIS"):
        wanted_renderer({"SDTUI_RENDERER": "ReGIS"})
