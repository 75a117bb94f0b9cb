"""Nothing that a terminal obeys passes the gate, and nothing is lost in it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdtui.text import clean

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"

hostile = st.text(
    st.one_of(
        st.characters(),
        st.characters(max_codepoint=0x9F),
        st.sampled_from(BIDI + "\ufeff\u2028\u2029\U0010eeee\ud800"),
    )
)


def obeyed(character: str) -> bool:
    """Whether a terminal may act upon the character instead of showing it."""
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in BIDI


@given(hostile, st.booleans())
def test_no_control_survives(text: str, multiline: bool) -> None:
    survivors = {character for character in clean(text, multiline=multiline) if obeyed(character)}
    assert survivors <= ({"\n"} if multiline else set())


@given(hostile, st.booleans())
def test_cleaning_twice_changes_nothing_more(text: str, multiline: bool) -> None:
    once = clean(text, multiline=multiline)
    assert clean(once, multiline=multiline) == once


@given(st.text(st.characters(categories=["L", "M", "N", "P", "S"])))
def test_printable_text_stays_as_it_is(text: str) -> None:
    text = text.replace("\U0010eeee", "")
    assert clean(text) == text


@given(hostile)
def test_what_is_cleaned_can_be_encoded(text: str) -> None:
    clean(text).encode("utf-8")


@given(hostile, st.integers(min_value=1, max_value=20))
def test_a_limit_marks_what_it_cuts(text: str, limit: int) -> None:
    shown = clean(text, limit=limit)
    assert shown.endswith("…") or len(text) <= limit


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2Jgone", "␛[2Jgone"),
        ("\x1b]52;c;aGk=\x07", "␛]52;c;aGk=␇"),
        ("\x9b2J", "<U+009B>2J"),
        ("a\x7fb", "a␡b"),
        ("a\u202eb", "a<U+202E>b"),
        ("one\r\ntwo\tthree", "one two three"),
        ("[b]bold[/] [/some/path]", "[b]bold[/] [/some/path]"),
        ("猫 на 🍎", "猫 на 🍎"),
    ],
)
def test_foreign_text_is_shown_harmlessly(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_line_breaks_stay_only_where_they_are_wanted() -> None:
    assert clean("one\ntwo") == "one two"
    assert clean("one\r\ntwo", multiline=True) == "one\ntwo"
