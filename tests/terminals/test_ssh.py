"""A real sshd and a real ssh client: what a link that breaks or is slow does to a picture."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sdtui.engine.client import EngineClient, stop_engine
from sdtui.params import GenerationParams
from tests.engine.processes import sdtui_processes, wait_for
from tests.engine.records import pictures, stored
from tests.terminal import Terminal
from tests.terminals.preview_pane import shows_exactly
from tests.terminals.slow_link import SlowLink
from tests.terminals.ssh_server import IS_THERE, SshServer

pytestmark = pytest.mark.skipif(not IS_THERE, reason="needs sshd, ssh and ssh-keygen")

STEPS = 200
"""Enough for a job to be running still when its watcher is gone."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshServer]:
    """sshd; what its sessions start ends with it, the engine too."""
    monkeypatch.setenv("COLORTERM", "truecolor")
    with SshServer(tmp_path) as server:
        yield server
        try:
            # One that were still there would start another engine.
            wait_for(lambda: not interfaces(), 60)
        finally:
            asyncio.run(stop_engine(force=True))
        wait_for(lambda: not sdtui_processes(os.environ["SDTUI_HOME"]), 60)


@pytest.fixture
def link(server: SshServer) -> Iterator[SlowLink]:
    """A link to it that is quick until it breaks."""
    with SlowLink(server.port, rate=10e6, latency=0.0, buffer=1 << 16) as link:
        yield link


def session(server: SshServer, port: int | None = None) -> Terminal:
    """The interface, run over ssh."""
    return Terminal(server.interface(port), columns=120, lines=40, answers=True)


def interfaces() -> list[list[str]]:
    """Those that run at the other end of an ssh, launchers included."""
    return [
        command for command in sdtui_processes(os.environ["SDTUI_HOME"]) if command[-1] == "sdtui"
    ]


def draw_by_hand(terminal: Terminal) -> None:
    """Type a prompt, and wait for its picture."""
    terminal.wait_for("ready")
    terminal.send("a red apple\r")
    terminal.wait_for("done in")


async def submit(steps: int) -> str:
    """A job of so many steps, asked for beside the interface; its id."""
    client = await EngineClient.connect(start=False)
    job_id = await client.submit(GenerationParams(prompt="a fox", num_inference_steps=steps))
    await client.close()
    return job_id


def by_killing_the_client(terminal: Terminal, link: SlowLink) -> None:
    """The ssh client dies; its kernel says goodbye to the server."""
    terminal.process.send_signal(signal.SIGKILL)


def by_dropping_the_connection(terminal: Terminal, link: SlowLink) -> None:
    """Something on the way forgets the connection."""
    link.drop()


def by_closing_the_window(terminal: Terminal, link: SlowLink) -> None:
    """The terminal that ssh runs in goes away."""
    terminal.hang_up()


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "end", [by_killing_the_client, by_dropping_the_connection, by_closing_the_window]
)
def test_a_job_outlives_the_link_and_the_next_session_is_shown_it(
    server: SshServer, link: SlowLink, end: Callable[[Terminal, SlowLink], None]
) -> None:
    with session(server, link.port) as first:
        draw_by_hand(first)
        job_id = asyncio.run(submit(STEPS))
        first.wait_for(f"3/{STEPS}")
        assert interfaces()
        end(first, link)
        assert stored(job_id).state == "running"
        first.wait_for_exit()
        wait_for(lambda: not interfaces(), 60)

    with session(server) as second:
        second.wait_for(f"/{STEPS}")
        wait_for(lambda: stored(job_id).state == "saved", 120)
        second.wait_for("done in")
        assert "a fox" in second.text
    assert stored(job_id).attempts == 1
    assert len(pictures()) == 2


@pytest.fixture
def slow_link(server: SshServer) -> Iterator[SlowLink]:
    """50 kB a second, 150 ms there and back, and a megabyte of buffer."""
    with SlowLink(server.port, rate=50_000, latency=0.075, buffer=1_000_000) as link:
        yield link


@pytest.mark.timeout(300)
def test_over_a_slow_link_keys_are_echoed_while_previews_come_and_the_picture_is_exact(
    server: SshServer, slow_link: SlowLink
) -> None:
    with session(server, slow_link.port) as terminal:
        terminal.wait_for("ready")
        job_id = asyncio.run(submit(STEPS))
        terminal.wait_for("x0 at step")
        for count, letter in enumerate("ЖЩЪ", 1):
            terminal.send(letter)
            terminal.wait_for("ЖЩЪ"[:count])
        assert stored(job_id).state == "running"

        steps = set()

        def is_done(text: str) -> bool:
            steps.update(re.findall(r"x0 at step (\d+)", text))
            return "done in" in text

        terminal.wait_for(is_done)
        assert len(steps) > 3
        (picture,) = pictures()
        terminal.wait_for(lambda _: shows_exactly(terminal.screen, picture))


@pytest.mark.timeout(300)
def test_a_link_that_stalls_holds_up_no_step_and_then_shows_the_picture(
    server: SshServer, slow_link: SlowLink
) -> None:
    with session(server, slow_link.port) as terminal:
        terminal.wait_for("ready")
        job_id = asyncio.run(submit(STEPS))
        terminal.wait_for("x0 at step")
        slow_link.hold()
        wait_for(lambda: stored(job_id).state == "saved", 120)
        # What had come before lies in the terminal.
        terminal.watch(0.5)
        taken = terminal.output
        terminal.watch(0.5)
        assert terminal.output == taken

        slow_link.release()
        terminal.wait_for("done in")
        (picture,) = pictures()
        terminal.wait_for(lambda _: shows_exactly(terminal.screen, picture))
