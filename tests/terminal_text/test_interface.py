"""Hostile text on every surface of the interface, in the raw bytes of a real terminal."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.terminal import Terminal
from tests.terminal_text.corpus import CONTROL_SEQUENCES, MARKUP, TEXT, harmless
from tests.terminal_text.sequences import Written

SURFACES = (
    *("state", "name", "file", "part", "loaded", "missing"),
    *("prompted", "token", "cut", "embedded", "drawn", "scheduled", "predicted"),
    *("delayed", "saved", "failed", "why", "do", "refused", "because", "instead"),
    *("pasted", "typed", "sought", "folder", "example"),
    *("listed", "ended", "past", "kept", "searched"),
)
"""What the texts are called. The escape that most of them begin with is shown as a sign that
sdtui's own text holds nowhere."""

TEXTS = (
    *(" ".join(CONTROL_SEQUENCES[place : place + 4]) for place in range(0, 12, 4)),
    " ".join(MARKUP[:2]),
    " ".join(MARKUP[2:]),
    " ".join(TEXT[:-1]),
    TEXT[-1],
)
"""Few enough to be quick, each short enough to be seen where there is little room."""


def started(texts: Sequence[str], home: Path) -> Terminal:
    """The interface, which shows each of the texts on every surface."""
    put_model(home, texts)
    file = home / "texts.json"
    file.write_text(json.dumps(texts))
    program = Path(__file__).with_name("interface.py")
    command = [sys.executable, program, file]
    return Terminal(command, columns=160, lines=60, env={"SDTUI_HOME": str(home)})


def written_to(terminal: Terminal) -> Written:
    """What it has written when it ends."""
    code = terminal.wait_for_exit()
    written = Written.of(terminal.output)
    assert code == 0, written.text[-2000:]
    return written


def put_model(home: Path, texts: Sequence[str]) -> None:
    """Models that are called by the texts, and know them as examples."""
    names = [f"folder {text}".replace("/", "|").replace("\0", "")[:60].encode() for text in texts]
    for name, text in zip([b"folder", b"no text \xff", *names], ["", "", *texts], strict=True):
        folder = home / "models" / os.fsdecode(name)
        folder.mkdir(parents=True)
        (folder / "model_index.json").write_text(json.dumps({"_class_name": text}))
        examples = [f"example {text}" for text in texts] + ["\ud800"]
        (folder / "things.json").write_text(json.dumps({"examples": examples}))


@pytest.mark.timeout(600)
def test_no_foreign_sequence_reaches_the_terminal_from_any_surface(sdtui_home: Path) -> None:
    with (
        started([harmless(TEXTS[0])], sdtui_home / "harmless") as reference,
        started(TEXTS, sdtui_home / "hostile") as interface,
        ThreadPoolExecutor() as readers,
    ):
        ours, written = readers.map(written_to, (reference, interface))
    assert written.foreign(ours) == []
    assert [surface for surface in SURFACES if f"{surface} ␛" not in written.text] == []


def test_a_foreign_sequence_would_be_found() -> None:
    ours = Written.of(b"\x1b[1;2H\x1b[0mtext\x1b]22;text\x1b\\")
    for text in CONTROL_SEQUENCES:
        assert Written.of(text.encode()).foreign(ours), text
