"""What is written to a terminal arrives whole and in order, and nobody waits for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sdtui.tui.terminal_output import TerminalOutput
from tests.engine.processes import wait_for


@contextmanager
def pipe_output(most_waiting: int = 1_000) -> Iterator[tuple[TerminalOutput, int, list[str]]]:
    """An output into a pipe, the pipe's other end, and what was told of it."""
    read, write = os.pipe()
    told: list[str] = []
    output = TerminalOutput(
        write,
        most_waiting=lambda: most_waiting,
        when_gone=lambda: told.append("gone"),
        when_behind=lambda behind: told.append("behind" if behind else "caught up"),
    )
    output.start()
    try:
        yield output, read, told
    finally:
        with suppress(OSError):
            os.close(read)
        output.finish()
        os.close(write)


def read_of(descriptor: int, size: int) -> bytes:
    """So many bytes."""
    data = b""
    while len(data) < size:
        data += os.read(descriptor, size - len(data))
    return data


def test_all_comes_in_its_order_before_the_end() -> None:
    with pipe_output() as (output, read, told):
        words = [f"word {number} ▀\n" for number in range(500)]
        for word in words:
            output.write(word)
        sent = "".join(words).encode()
        assert read_of(read, len(sent)) == sent
        output.finish()
        assert told.count("behind") == told.count("caught up")


def test_a_terminal_that_takes_nothing_keeps_nobody_waiting_and_is_told_of_once() -> None:
    with pipe_output() as (output, read, told):
        sent = b""
        for number in range(200):
            text = f"{number:04}" * 500
            output.write(text)
            sent += text.encode()
        assert told == ["behind"]
        assert read_of(read, len(sent)) == sent
        wait_for(lambda: told == ["behind", "caught up"])


def test_a_terminal_that_is_gone_is_told_of_once_and_nothing_fails() -> None:
    with pipe_output() as (output, read, told):
        os.close(read)
        output.write("to nobody")
        wait_for(lambda: told == ["gone"])
        output.write("nor this")
        output.finish()
        assert told == ["gone"]
