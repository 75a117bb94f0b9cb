"""A prompt's document: the text as it was typed, its lines as they may be shown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sdtui.text import clean_in_place
from sdtui.tui.widgets.prompt_document import PromptDocument

text = st.text(st.one_of(st.characters(), st.sampled_from("\n\n\r\t\x1b\x85\u2028\x0c\u202e")))


@given(text)
def test_the_text_is_kept_and_its_lines_are_shown_cleaned(typed: str) -> None:
    document = PromptDocument(typed)
    assert document.text == typed
    assert document.lines == document[:] == [clean_in_place(line) for line in typed.split("\n")]
    assert document.lines[-1] == document.get_line(document.line_count - 1)


@given(text, text, st.data())
def test_an_edit_replaces_what_lies_between_two_places_and_can_be_undone(
    typed: str, new: str, data: st.DataObject
) -> None:
    document = PromptDocument(typed)
    ends = [data.draw(st.integers(min_value=0, max_value=len(typed))) for _ in range(2)]
    first, last = sorted(ends)
    start, end = (document.get_location_from_index(place) for place in ends)
    result = document.replace_range(start, end, new)
    assert document.text == typed[:first] + new + typed[last:]
    assert result.replaced_text == typed[first:last]
    assert document.get_index_from_location(result.end_location) == first + len(new)
    document.replace_range(min(start, end), result.end_location, result.replaced_text)
    assert document.text == typed
