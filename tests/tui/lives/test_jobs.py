"""A job outlives every interface that watches it, and every interface that comes sees it whole.

`SDTUI_DEATHS` is how many interfaces die, `SDTUI_DEATHS_SEED` when; `make soak` takes 100.
"""

from __future__ import annotations

import os
import random
import re
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.engine.processes import wait_for
from tests.engine.records import check_everything, stored, unfinished
from tests.terminal import Terminal
from tests.tui.lives.interfaces import CHANGE_THEME, GENERATE, interface, process_of
from tests.tui.lives.jobs import HELD_AT, STEPS, let_go, submit_held

DEATHS = int(os.environ.get("SDTUI_DEATHS", "3"))
SEED = int(os.environ.get("SDTUI_DEATHS_SEED", random.randrange(10_000)))


def by_hangup(terminal: Terminal) -> int:
    """SIGHUP, as a shell that leaves sends it."""
    terminal.process.send_signal(signal.SIGHUP)
    return 129


def by_closing(terminal: Terminal) -> int:
    """The terminal closes."""
    terminal.hang_up()
    return 129


def by_kill(terminal: Terminal) -> int:
    """SIGKILL of the interface itself."""
    os.kill(process_of(terminal), signal.SIGKILL)
    return 137


WAYS = (by_hangup, by_closing, by_kill)


def log_of(screen: str) -> list[str]:
    """The lines of the log, which is the pane at the right."""
    panes = (line.split("││") for line in screen.splitlines())
    return [line[2].strip(" │") for line in panes if len(line) == 3]


def told_of(seed: int, screen: str) -> list[str]:
    """What the log tells of the job with this seed, from its first line on."""
    lines = log_of(screen)
    starts = [place for place, line in enumerate(lines) if f"seed {seed}," in line]
    return lines[starts[-1] :] if starts else []


def steps_in(told: list[str]) -> list[int]:
    """The steps of which is told, in order."""
    steps = (re.match(r"(\d+)/\d+ ", line) for line in told)
    return [int(step[1]) for step in steps if step]


def tall_interface() -> Terminal:
    """High enough for the whole log, and for what the model said before it."""
    return interface(columns=160, lines=90)


def wait_for_log(terminal: Terminal, seed: int, steps: int) -> list[str]:
    """What the log tells once it has come from the job's first step to its `steps`th.

    After the last one it tells where the picture is.
    """

    def is_told(screen: str) -> bool:
        told = told_of(seed, screen)
        is_saved = any(line.endswith(".png") for line in told)
        return steps_in(told) == list(range(1, steps + 1)) and is_saved == (steps == STEPS)

    return told_of(seed, terminal.wait_for(is_told))


@pytest.mark.usefixtures("fake_engine")
@pytest.mark.timeout(120 * DEATHS)
def test_a_job_outlives_the_interface_and_the_next_one_shows_it(sdtui_home: Path) -> None:
    print(f"SDTUI_DEATHS_SEED={SEED}")
    chance = random.Random(SEED)
    job_ids = []
    with ExitStack() as stack:
        terminal = stack.enter_context(tall_interface())
        terminal.wait_for("ready")
        for seed in range(DEATHS):
            job_ids.append(submit_held(seed))
            terminal.wait_for(f"seed {seed},")
            terminal.watch(chance.random() * 0.3)
            code = WAYS[seed % len(WAYS)](terminal)
            assert terminal.wait_for_exit() == code
            stack.close()

            is_alone = chance.random() < 0.5
            if is_alone:
                let_go(sdtui_home, job_ids[-1])
            terminal = stack.enter_context(tall_interface())
            if not is_alone:
                wait_for_log(terminal, seed, HELD_AT)
                let_go(sdtui_home, job_ids[-1])
            wait_for_log(terminal, seed, STEPS)
    jobs = check_everything(job_ids).values()
    assert [(job.state, job.attempts) for job in jobs] == [("saved", 1)] * DEATHS


@pytest.mark.usefixtures("fake_engine")
def test_two_interfaces_and_one_that_comes_late_see_the_same(sdtui_home: Path) -> None:
    with tall_interface() as first, tall_interface() as second:
        for terminal in (first, second):
            terminal.wait_for("ready")
        job_id = submit_held(7)
        for terminal in (first, second):
            wait_for_log(terminal, 7, HELD_AT)
        with tall_interface() as late:
            wait_for_log(late, 7, HELD_AT)
            let_go(sdtui_home, job_id)
            seen = [wait_for_log(terminal, 7, STEPS) for terminal in (first, second, late)]
            assert seen[0] == seen[1] == seen[2]


@pytest.mark.usefixtures("fake_engine")
def test_a_terminal_that_takes_nothing_costs_no_step_and_is_then_shown_all(
    sdtui_home: Path,
) -> None:
    with tall_interface() as terminal:
        terminal.wait_for("ready")
        terminal.freeze()
        terminal.watch(0.5)
        taken = terminal.output
        # Every change of the theme is a whole screen; what is typed behind them is obeyed.
        for _ in range(40):
            terminal.send(CHANGE_THEME)
            time.sleep(0.05)
        terminal.send(f"pause=0.05 apple{GENERATE}")
        job_ids: list[str] = []
        wait_for(lambda: job_ids or job_ids.extend(unfinished()), 60)
        (job_id,) = job_ids
        wait_for(lambda: stored(job_id).state == "saved", 60)

        terminal.watch(0.5)
        assert terminal.output == taken
        terminal.thaw()
        terminal.wait_for("done in")
        terminal.wait_for(lambda text: steps_in(log_of(text)) == list(range(1, 26)))
