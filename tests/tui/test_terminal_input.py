"""What a real terminal may send: floods, pastes without their marks, and what is no text at all."""

from __future__ import annotations

import os
import sys
import textwrap
import threading

import pytest
from textual import events

from sdtui.params import MAX_PROMPT_CHARACTERS
from sdtui.tui.terminal_input import InputParser, with_bursts_as_pastes
from tests.terminal import Terminal

PROGRAM = textwrap.dedent(
    """
    import sys
    from sdtui.tui import app
    from tests.tui.fake_engine import FakeEngineClient

    client = FakeEngineClient()

    async def connect():
        return client

    app.SdtuiApp.__init__.__defaults__ = (connect, None)
    code = app.run()
    for params in client.submitted():
        print("submitted", len(params.prompt), ascii(params.prompt[:30]))
    sys.exit(code)
    """
)


class TypedTerminal(Terminal):
    """The interface in a terminal into which any amount of bytes can be typed."""

    def __init__(self) -> None:
        super().__init__([sys.executable, "-c", PROGRAM], columns=160)
        self.wait_for("2/77")
        self.wait_for("ready")

    def flood(self, data: bytes) -> None:
        """Type faster than anyone reads, while another waits for the screen."""
        threading.Thread(target=self._write, args=(data,), daemon=True).start()

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._ours, data) :]

    def submitted(self) -> list[str]:
        """What was asked of the engine, once the interface has ended."""
        self.send("\x11")
        assert self.wait_for_exit() == 0
        told = self.output.decode(errors="replace").splitlines()
        return [line[line.index("submitted") :] for line in told if "submitted" in line]


def test_a_bracketed_paste_of_a_megabyte_is_cut_and_says_so() -> None:
    with TypedTerminal() as terminal:
        terminal.flood(b"\x1b[200~" + b"apple " * 175_000 + b"\x1b[201~")
        terminal.wait_for("pasted text was cut at 20,000 characters")
        terminal.send("\r")
        terminal.wait_for("done in")
        (submitted,) = terminal.submitted()
    assert submitted.startswith(f"submitted {MAX_PROMPT_CHARACTERS} 'apple apple ")


@pytest.mark.parametrize("line_end", [b" ", b"\r", b"\n", b"\t"])
def test_a_paste_without_its_marks_is_taken_whole_and_asks_for_no_picture(line_end: bytes) -> None:
    text = line_end.join([b"a red apple on a blue ground"] * 600) + b" zebra"
    with TypedTerminal() as terminal:
        terminal.flood(text)
        terminal.wait_for("zebra")
        terminal.send("\r")
        terminal.wait_for("done in")
        (submitted,) = terminal.submitted()
    assert submitted.startswith(f"submitted {len(text)} 'a red apple on a blue ground")


def test_a_paste_without_its_marks_is_cut_where_the_box_is_full() -> None:
    with TypedTerminal() as terminal:
        terminal.flood(b"apple " * 5_000)
        terminal.wait_for("cut at 20,000 characters")
        terminal.send("\r")
        terminal.wait_for("done in")
        (submitted,) = terminal.submitted()
    assert submitted.startswith(f"submitted {MAX_PROMPT_CHARACTERS} ")


def test_bytes_that_are_no_text_and_keys_that_do_not_exist_end_nothing() -> None:
    with TypedTerminal() as terminal:
        terminal.flood(b"caf\xe9 \x1b[9999999999u\x1b[55296u\xff\xfe apple")
        terminal.wait_for("caf\ufffd \ufffd\ufffd apple")
        terminal.send("\r")
        terminal.wait_for("done in")
        assert len(terminal.submitted()) == 1


def told(data: str, goes_on: bool = False) -> list[tuple[str, str | None]]:
    """The keys and pastes of one reading."""
    return [
        ("paste", message.text)
        if isinstance(message, events.Paste)
        else (message.key, message.character)
        for message in with_bursts_as_pastes(InputParser().feed(data), goes_on)
        if isinstance(message, events.Paste | events.Key)
    ]


def test_what_a_hand_types_stays_keys() -> None:
    assert told("red\r") == [("r", "r"), ("e", "e"), ("d", "d"), ("enter", "\r")]
    assert told("\x1b[A\t") == [("up", None), ("tab", "\t")]


def test_enter_behind_a_burst_is_the_key_and_within_it_a_line() -> None:
    line = "a red apple on a blue background, by the sea, in the morning"
    burst = f"{line}\r{line}"
    assert told(f"{burst}\r") == [("paste", burst.replace("\r", "\n")), ("enter", "\r")]
    assert told(f"{burst}\r", goes_on=True) == [("paste", f"{burst}\n".replace("\r", "\n"))]


def test_a_key_within_a_burst_keeps_its_place() -> None:
    text = "x" * 150
    assert told(f"{text}\x1b[D{text}") == [("paste", text), ("left", None), ("paste", text)]


def test_a_joiner_that_is_typed_is_text() -> None:
    assert told("👨\u200d") == [("man", "👨"), ("paste", "\u200d")]


@pytest.mark.parametrize("parts", [["a\x1b[0nb"], ["a\x1b", "[0nb"], ["a\x1b[0", "nb"]])
def test_a_terminal_that_says_it_is_well_presses_no_key(parts: list[str]) -> None:
    said = []
    parser = InputParser(when_well=lambda: said.append("well"))

    told = [message for part in parts for message in parser.feed(part)]

    assert said == ["well"]
    assert [event.key for event in told if isinstance(event, events.Key)] == ["a", "b"]
