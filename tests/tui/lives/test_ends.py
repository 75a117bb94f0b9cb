"""Whatever ends the interface, the terminal is as it was before, and the exit code says why.

`SDTUI_ENDS` is how often each end is come to, `SDTUI_ENDS_SEED` the moments; `make soak` does it
25 times.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.processes import children, is_alive, wait_for
from tests.terminal import Terminal
from tests.tui.lives.interfaces import (
    FAIL,
    GENERATE,
    QUIT,
    SUSPEND,
    WITH_A_FAKE_ENGINE,
    process_of,
    with_a_fake_engine,
)
from tests.tui.lives.modes import left_behind

REPOSITORY = Path(__file__).parents[3]
ROUNDS = int(os.environ.get("SDTUI_ENDS", "2"))
SEED = int(os.environ.get("SDTUI_ENDS_SEED", random.randrange(10_000)))


def by_signal(number: int) -> Callable[[Terminal, random.Random], None]:
    """A signal at any moment from the first byte of the interface on."""

    def end(terminal: Terminal, chance: random.Random) -> None:
        terminal.wait_for(lambda _: b"\x1b[?1049h" in terminal.output)
        if chance.random() < 0.5:
            start_a_run(terminal)
        terminal.watch(chance.random())
        terminal.process.send_signal(number)

    return end


def by_key(key: str) -> Callable[[Terminal, random.Random], None]:
    """A key in the middle of a run."""

    def end(terminal: Terminal, chance: random.Random) -> None:
        start_a_run(terminal)
        terminal.watch(chance.random())
        terminal.send(key)

    return end


def by_kill(terminal: Terminal, chance: random.Random) -> None:
    """SIGKILL for the process below the launcher."""
    terminal.wait_for(lambda _: b"\x1b[?1049h" in terminal.output)
    if chance.random() < 0.5:
        start_a_run(terminal)
    terminal.watch(chance.random())
    os.kill(process_of(terminal), signal.SIGKILL)


def start_a_run(terminal: Terminal) -> None:
    terminal.wait_for("ready")
    terminal.send(GENERATE)
    terminal.wait_for("12/25")


ENDS = {
    "hangup": (by_signal(signal.SIGHUP), 129),
    "termination": (by_signal(signal.SIGTERM), 143),
    "interrupt": (by_signal(signal.SIGINT), 130),
    "defect": (by_key(FAIL), 1),
    "quit": (by_key(QUIT), 0),
    "kill": (by_kill, 137),
}


@pytest.mark.timeout(180 * ROUNDS)
@pytest.mark.parametrize("way", ENDS)
def test_the_terminal_is_as_it_was_and_the_exit_code_says_why(way: str) -> None:
    print(f"SDTUI_ENDS_SEED={SEED}")
    chance = random.Random(f"{SEED} {way}")
    end, code = ENDS[way]
    for _ in range(ROUNDS):
        with with_a_fake_engine() as terminal:
            end(terminal, chance)
            assert terminal.wait_for_exit() == code, terminal.text
            assert left_behind(terminal.output) == []
            assert terminal.attributes == terminal.first_attributes
            assert ("was ended by SIGKILL" in terminal.text) == (way == "kill")


def shell() -> Terminal:
    """An interactive shell that has no terminal modes of its own."""
    command = ["bash", "--norc", "--noprofile", "--noediting", "-i"]
    return Terminal(command, env={"PS1": "$ ", "PYTHONPATH": str(REPOSITORY)}, answers=True)


def say(terminal: Terminal, line: str, answer: str) -> None:
    """Type a line at the shell and wait for what comes back."""
    terminal.send("clear\r")
    terminal.wait_for(lambda text: text.split() == ["$"])
    terminal.send(f"{line}\r")
    terminal.wait_for(answer)


def test_an_interface_whose_launcher_is_killed_leaves_the_terminal_to_the_shell(
    tmp_path: Path,
) -> None:
    program = tmp_path / "interface.py"
    program.write_text(WITH_A_FAKE_ENGINE)
    with shell() as terminal:
        terminal.wait_for("$")
        before = terminal.attributes
        terminal.send(f"clear; {sys.executable} {program}\r")
        start_a_run(terminal)
        (launcher,) = children(terminal.process.pid)
        (child,) = children(launcher)
        os.kill(launcher, signal.SIGKILL)
        # The interface may once more paint over what the shell says.
        terminal.wait_for(lambda _: b"Killed" in terminal.output)
        wait_for(lambda: terminal.watch(0.1) or not is_alive(child), 60)
        # An answer of the terminal may stand where the shell's next command goes.
        terminal.send("\recho the sh''ell\r")
        terminal.wait_for("the shell")
        assert left_behind(terminal.output) == []
        assert terminal.attributes == before


@pytest.mark.timeout(180 * ROUNDS)
def test_a_shell_has_its_terminal_back_while_the_interface_is_suspended(tmp_path: Path) -> None:
    chance = random.Random(f"{SEED} suspend")
    program = tmp_path / "interface.py"
    program.write_text(WITH_A_FAKE_ENGINE)
    with shell() as terminal:
        terminal.wait_for("$")
        before = terminal.attributes
        for _ in range(ROUNDS):
            terminal.send(f"clear; {sys.executable} {program}\r")
            start_a_run(terminal)
            terminal.watch(chance.random())

            terminal.send(SUSPEND)
            terminal.wait_for("Stopped")
            assert left_behind(terminal.output) == []
            assert terminal.attributes == before

            say(terminal, "set -b; bg", "Stopped")
            assert left_behind(terminal.output) == []
            assert terminal.attributes == before

            say(terminal, "fg", "12/25")
            assert left_behind(terminal.output) != []
            assert terminal.attributes != before

            terminal.send(QUIT)
            terminal.wait_for("1 job still runs")
            say(terminal, "echo code $?", "code 0")
            assert left_behind(terminal.output) == []
            assert terminal.attributes == before


def test_what_waits_for_the_interface_is_suspended_with_it(tmp_path: Path) -> None:
    """As `make run` waits, or a script: a shell has its terminal back when its whole job stops."""
    program = tmp_path / "interface.py"
    program.write_text(WITH_A_FAKE_ENGINE)
    with shell() as terminal:
        terminal.wait_for("$")
        before = terminal.attributes
        terminal.send(f"clear; sh -c '{sys.executable} {program}; echo over with $?'\r")
        terminal.wait_for("ready")
        for _ in range(2):
            terminal.send(SUSPEND)
            terminal.wait_for("Stopped")
            assert left_behind(terminal.output) == []
            assert terminal.attributes == before
            say(terminal, "fg", "ready")
        terminal.send(QUIT)
        terminal.wait_for("over with 0")


def test_a_suspended_interface_ends_when_it_is_asked_to(tmp_path: Path) -> None:
    program = tmp_path / "interface.py"
    program.write_text(WITH_A_FAKE_ENGINE)
    with shell() as terminal:
        terminal.wait_for("$")
        before = terminal.attributes
        terminal.send(f"clear; {sys.executable} {program}\r")
        terminal.wait_for("ready")
        terminal.send(SUSPEND)
        terminal.wait_for("Stopped")
        say(terminal, "set -b; kill %1", "Exit 143")
        assert left_behind(terminal.output) == []
        assert terminal.attributes == before
