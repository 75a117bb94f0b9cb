"""The prompt box: what it counts, what it cuts, and what it makes of hostile text."""

from __future__ import annotations

from itertools import product

import pytest
from textual import events
from textual.app import App, ComposeResult
from textual.widgets import TextArea

from sdtui.params import MAX_PROMPT_CHARACTERS
from sdtui.tui.widgets.prompt_input import PromptInput
from tests.tui.stage import Stage, opened, params

HOSTILE = [
    "[/]",
    "[/some/path] [b]x[/i] [red]y [cat|dog] :smile:",
    "[@click=app.quit]x[/]",
    "(masterpiece:1.2), <lora:x:1>",
    "$accent {x} %s \\",
]
ESCAPES = "a\x1b]52;c;aGk=\x07b\x1b[2Jc\x9b31md\x7fe\x00f\u202eg"


async def paste(stage: Stage, text: str) -> None:
    """A bracketed paste into what has the focus."""
    assert stage.app.focused is not None
    stage.app.focused.post_message(events.Paste(text))
    await stage.pilot.pause()


class Beside(App[None]):
    """A prompt beside Textual's own text area."""

    def compose(self) -> ComposeResult:
        yield PromptInput(id="ours")
        yield TextArea(id="theirs")


DELETIONS = sorted({b.action for b in TextArea.BINDINGS if "delete" in b.action} | {"cut"})


@pytest.mark.parametrize("action", DELETIONS)
async def test_a_deletion_does_what_it_does_in_any_text_area(action: str) -> None:
    app = Beside()
    async with app.run_test():
        for text in ("", "fox", "a red fox\napple", "fox\n", "\n\nfox"):
            ours = await deleted(app.query_one("#ours", TextArea), text, action)
            assert ours == await deleted(app.query_one("#theirs", TextArea), text, action)


async def deleted(area: TextArea, text: str, action: str) -> list[tuple[str, tuple[int, int]]]:
    """The text and the cursor after two deletions, and after undoing, from several places."""
    found = []
    for place in (*product(range(text.count("\n") + 1), (0, 2)), area.document.end):
        area.text = text
        area.move_cursor(place)
        for _ in range(2):
            await area.run_action(action)
        found.append((area.text, area.cursor_location))
        area.undo()
        found.append((area.text, area.cursor_location))
    return found


async def test_the_count_follows_every_key() -> None:
    async with opened() as stage:
        await stage.until_shown("2/77")
        await stage.type("a red")
        await stage.until_shown("4/77")
        await stage.press(*["backspace"] * 4)
        await stage.until_shown("3/77")


async def test_what_the_model_does_not_see_is_struck_and_said() -> None:
    async with opened(size=(80, 24)) as stage:
        await paste(stage, " ".join(["apple"] * 80))
        await stage.until_shown("cut at 77  82/77")
        prompt = stage.main.prompt
        line = prompt.get_line(0)
        assert {(span.start, span.end) for span in line.spans} == {(75 * 6, 80 * 6 - 1)}
        prompt.text = "a red apple"
        await stage.until(lambda: "cut at" not in stage.text)
        assert not prompt.get_line(0).spans


async def test_the_cut_may_lie_in_a_later_line() -> None:
    async with opened() as stage:
        await paste(stage, " ".join(["apple"] * 74) + "\nred apple pie\npie")
        await stage.until_shown("cut at 77")
        spans = [stage.main.prompt.get_line(index).spans for index in range(3)]
        assert [[(span.start, span.end) for span in line] for line in spans] == [
            [],
            [(4, 13)],
            [(0, 3)],
        ]


async def test_a_huge_paste_is_cut_where_the_box_says() -> None:
    async with opened() as stage:
        await paste(stage, "x" * (MAX_PROMPT_CHARACTERS + 1))
        await stage.until_shown("pasted text was cut at 20,000 characters")
        assert len(stage.main.prompt.text) == MAX_PROMPT_CHARACTERS
        await stage.press("y")
        await stage.until_shown("full: 20,000 characters")
        await stage.press("ctrl+j")
        assert len(stage.main.prompt.text) == MAX_PROMPT_CHARACTERS


async def test_ten_thousand_characters_are_taken_whole() -> None:
    prompt = "a red apple " * 833
    async with opened() as stage:
        await paste(stage, prompt)
        await stage.press("enter")
        await stage.until(stage.engine.submitted)
        assert stage.engine.submitted()[0].prompt == prompt


@pytest.mark.parametrize("prompt", HOSTILE)
async def test_markup_is_shown_as_it_was_typed(prompt: str) -> None:
    async with opened(size=(160, 48)) as stage:
        await stage.press("ctrl+n")
        await paste(stage, prompt)
        await stage.press("ctrl+n")
        await paste(stage, prompt)
        await stage.press("enter")
        await stage.until_shown("done in")
        submitted = stage.engine.submitted()[0]
        assert (submitted.prompt, submitted.negative_prompt) == (prompt, prompt)
        assert stage.text.count(prompt) >= 2


async def test_escape_sequences_are_shown_harmlessly_and_kept_as_they_came() -> None:
    async with opened() as stage:
        await paste(stage, ESCAPES)
        await stage.until_shown("a␛]52;c;aGk=␇b␛[2Jc\ufffd31md␡e␀f\ufffdg")
        await stage.press("enter")
        await stage.until_shown("done in")
        shown = stage.app.export_screenshot()
        assert not set("\x1b\x07\x9b\x00\u202e") & set(shown)
        assert stage.engine.submitted()[0].prompt == ESCAPES


async def test_a_prompt_from_another_client_is_shown_harmlessly_and_drawn_again_as_it_was() -> None:
    prompt = f"{ESCAPES}\r\n\tq\u2028r\x85s\x0ct"
    async with opened(size=(160, 60)) as stage:
        stage.engine.run("elsewhere", params(prompt=prompt, negative_prompt="\x1b[?1049l"))
        await stage.until_shown("done in")
        assert not set("\x1b\x07\x9b\x00\u202e\u2028\x85\x0c\r\t") & set(stage.text)
        await stage.press("enter")
        await stage.until(stage.engine.submitted)
        submitted = stage.engine.submitted()[0]
        assert (submitted.prompt, submitted.negative_prompt) == (prompt, "\x1b[?1049l")


@pytest.mark.parametrize(
    "prompt",
    [
        "👩🏽\u200d❤️\u200d💋\u200d👩🏿 and 🏳️\u200d🌈",
        "תפוח אדום!\u200f על רקע כחול",
        "می\u200cخواهم یک سیب سرخ",
    ],
)
async def test_what_people_write_reaches_the_model_as_it_was_typed(prompt: str) -> None:
    async with opened(size=(160, 48)) as stage:
        await paste(stage, prompt)
        await stage.until_shown(prompt)
        await stage.press("enter")
        await stage.until(stage.engine.submitted)
        assert stage.engine.submitted()[0].prompt == prompt


async def test_hidden_characters_are_edited_like_any_other() -> None:
    async with opened() as stage:
        await paste(stage, "ab\x1bcd\nx\u2028y")
        await stage.press("home", "up", "right", "right", "right", "backspace", "delete")
        assert stage.main.prompt.text == "abd\nx\u2028y"
        stage.main.prompt.select_all()
        assert stage.main.prompt.selected_text == stage.main.prompt.text


async def test_carriage_returns_end_lines() -> None:
    async with opened() as stage:
        await paste(stage, "a\r\nb\rc\n")
        assert stage.main.prompt.text == "a\nb\nc\n"


async def test_an_example_can_be_undone() -> None:
    async with opened(start=params(prompt="my own words")) as stage:
        await stage.press("ctrl+t")
        assert stage.main.prompt.text in stage.main._examples
        await stage.press("ctrl+underscore")
        await stage.until(lambda: stage.main.prompt.text == "my own words")
