"""Nothing that a terminal obeys passes the gate, and nothing is lost in it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from sdtui.text import clean, clean_in_place

OVERRIDES = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
DIRECTION_MARKS = "\u061c\u200e\u200f"
TAGS = "".join(map(chr, range(0xE0000, 0xE0080)))
INVISIBLE = (
    "\xad\u034f\u115f\u1160\u180e\u2060\u2061\u2062\u2063\u2064\u206a\u206f\u3164\ufeff\uffa0"
)
JOINERS = "\u200b\u200c\u200d"
VISIBLE_FORMATS = (
    "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
)
"""Signs that stand over or around figures: Unicode calls them format characters, and draws them."""
FLAG_OF_SCOTLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"

hostile = st.text(
    st.one_of(
        st.characters(),
        st.characters(max_codepoint=0x9F),
        st.sampled_from(OVERRIDES + DIRECTION_MARKS + INVISIBLE + JOINERS + TAGS),
        st.sampled_from("\u2028\u2029\U0010eeee\ud800\ufe0f\U000e0100\u0301\u0e47🍎❤🏴شक्"),
    )
)


def always_obeyed(character: str) -> bool:
    """Whether a terminal may act upon the character, or hide it, wherever it stands."""
    code = ord(character)
    return (
        unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
        or character in OVERRIDES + INVISIBLE + "\U0010eeee"
        or code & 0xFFFE == 0xFFFE
        or 0xFDD0 <= code <= 0xFDEF
    )


@given(hostile, st.booleans())
def test_no_control_survives(text: str, multiline: bool) -> None:
    survivors = set(filter(always_obeyed, clean(text, multiline=multiline)))
    assert survivors <= ({"\n"} if multiline else set())
    assert not set(filter(always_obeyed, clean_in_place(text)))


@given(hostile)
def test_an_invisible_character_passes_only_where_it_has_a_use(text: str) -> None:
    shown = clean(text)
    right_to_left = any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in shown)
    before = ""
    for character in shown:
        if unicodedata.category(character) == "Cf" and character not in VISIBLE_FORMATS:
            is_tag = character in TAGS and (before in TAGS or before == "\U0001f3f4")
            joins = character in JOINERS and before > "\xa0"
            assert is_tag or joins or (character in DIRECTION_MARKS and right_to_left)
        before = character


@given(st.characters())
def test_one_character_alone_is_never_invisible(character: str) -> None:
    shown = clean(character)
    if unicodedata.category(character) == "Cf" and character not in VISIBLE_FORMATS:
        assert shown == f"<U+{ord(character):04X}>"


@given(hostile, st.booleans())
def test_cleaning_twice_changes_nothing_more(text: str, multiline: bool) -> None:
    once = clean(text, multiline=multiline)
    assert clean(once, multiline=multiline) == once


@given(st.text(st.characters(categories=["L", "Mc", "N", "P", "S"])))
def test_printable_text_stays_as_it_is(text: str) -> None:
    for filler in INVISIBLE:
        text = text.replace(filler, "")
    assert clean(text) == clean_in_place(text) == text


@given(hostile)
def test_what_is_cleaned_can_be_encoded(text: str) -> None:
    clean(text).encode("utf-8")
    clean_in_place(text).encode("utf-8")


@given(hostile)
def test_in_place_every_character_keeps_its_place_and_every_picture_has_a_cell(text: str) -> None:
    shown = clean_in_place(text)
    assert len(shown) == len(text)
    for character, picture in zip(text, shown, strict=True):
        assert picture == character or cell_len(picture) == 1


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
        ("a\u200fb", "a<U+200F>b"),
        ("pay\u200bpal", "pay<U+200B>pal"),
        ("x\u200d", "x<U+200D>"),
        ("\ufeffBOM", "<U+FEFF>BOM"),
        ("a\U000e0041\U000e007f", "a<U+E0041><U+E007F>"),
        ("a\ufe0f\ufe0e", "a\ufe0f<U+FE0E>"),
        ("\ufe0fa", "<U+FE0F>a"),
        ("one\u2028two", "one<U+2028>two"),
        ("\udcff.png", "<U+DCFF>.png"),
        ("\U0010eeee\ufdd0\U0001ffff", "<U+10EEEE><U+FDD0><U+1FFFF>"),
        ("z" + "\u0301" * 10, "z" + "\u0301" * 8 + "<U+0301>" * 2),
        ("❤" + "\u200d❤" * 6, "❤" + "\u200d❤" * 4 + "<U+200D>❤\u200d❤"),
        ("one\r\ntwo\tthree", "one two three"),
    ],
)
def test_foreign_text_is_shown_harmlessly(text: str, shown: str) -> None:
    assert clean(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "[b]bold[/] [/some/path] :smile:",
        "猫 на 🍎",
        "👩🏽\u200d❤️\u200d💋\u200d👩🏿 👨\u200d👩\u200d👧\u200d👦 🏳️\u200d🌈 🙂\u200d↔️",
        f"1️⃣ ☎️ {FLAG_OF_SCOTLAND} 🇫🇷",
        "می\u200cخواهم یک سیب سرخ",
        "תפוח אדום!\u200f",
        "تفاحة\u061c حمراء",
        "ශ්\u200dරී ලංකාව क्\u200dष",
        "ផ្លែ\u200bប៉ោម",
        "Tie\u0302\u0301ng Vie\u0323\u0302t",
        "葛\U000e0100城",
        "\ue0b0 \uf121 icons \U0001fae8",
    ],
)
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert clean(text) == clean_in_place(text) == text


def test_line_breaks_stay_only_where_they_are_wanted() -> None:
    assert clean("one\ntwo") == "one two"
    assert clean("one\r\ntwo", multiline=True) == "one\ntwo"


def test_edited_text_shows_one_sign_for_each_that_is_hidden() -> None:
    assert clean_in_place("a\x1bb\u202ec\td\x9b") == "a␛b\ufffdc d\ufffd"
