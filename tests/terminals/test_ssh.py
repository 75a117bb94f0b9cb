"""A real sshd and a real ssh client: what a link that breaks or is slow does to a picture."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from sdtui.engine.client import EngineClient, stop_engine
from sdtui.params import GenerationParams
from tests.engine.processes import FAKE_ENGINE, sdtui_processes, wait_for
from tests.engine.records import pictures, stored
from tests.terminal import Terminal
from tests.terminals.preview_pane import shows_exactly
from tests.terminals.slow_link import SlowLink
from tests.terminals.ssh_server import IS_THERE, SshServer
from tests.tui.lives.jobs import HELD_AT, STEPS, let_go, submit_held

pytestmark = pytest.mark.skipif(not IS_THERE, reason="needs sshd, ssh and ssh-keygen")

WITH_A_FAKE_WORKER = (
    "-c",
    f"import sys; from sdtui import cli; from sdtui.engine import launch; "
    f"launch.ENGINE_COMMAND = {FAKE_ENGINE!r}; sys.exit(cli.main([]))",
    "sdtui",
)
"""The interface; the engine that it starts draws at once, or holds a job. The last word is there to
be found by."""


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """One for all tests; what its sessions start ends with them."""
    with SshServer(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def server(sshd: SshServer) -> Iterator[SshServer]:
    """It, in a home whose engine the first session starts."""
    yield sshd
    try:
        # One that were still there would start another engine.
        wait_for(lambda: not interfaces(), 60)
    finally:
        asyncio.run(stop_engine(force=True))


@pytest.fixture
def link(server: SshServer) -> Iterator[SlowLink]:
    """A link to it that is quick until it breaks."""
    with SlowLink(server.port, rate=10e6, latency=0.0, buffer=1 << 16) as link:
        yield link


def session(
    server: SshServer, port: int | None = None, program: Sequence[str] = ("-m", "sdtui")
) -> Terminal:
    """The interface, run over ssh."""
    return Terminal(server.interface(port, program), columns=120, lines=40, answers=True)


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
    params = GenerationParams(prompt="a fox", num_inference_steps=steps)
    job_id = await client.submit(params, device="cpu")
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
    sdtui_home: Path, server: SshServer, link: SlowLink, end: Callable[[Terminal, SlowLink], None]
) -> None:
    with session(server, link.port, WITH_A_FAKE_WORKER) as first:
        draw_by_hand(first)
        job_id = submit_held(7)
        first.wait_for(f"{HELD_AT}/{STEPS}")
        assert interfaces()
        end(first, link)
        assert stored(job_id).state == "running"
        first.wait_for_exit()
        wait_for(lambda: not interfaces(), 60)

    with session(server, program=WITH_A_FAKE_WORKER) as second:
        second.wait_for(f"{HELD_AT}/{STEPS}")
        let_go(sdtui_home, job_id)
        second.wait_for(f"-hold-{HELD_AT}-7.png")
        second.wait_for("done in")
    assert stored(job_id).attempts == 1
    assert len(pictures()) == 2


@pytest.fixture
def slow_link(sshd: SshServer, real_engine: Path) -> Iterator[SlowLink]:
    """50 kB a second, 150 ms there and back, and a megabyte of buffer; a real engine behind it."""
    with SlowLink(sshd.port, rate=50_000, latency=0.075, buffer=1_000_000) as link:
        yield link
    wait_for(lambda: not interfaces(), 60)


@pytest.mark.timeout(300)
def test_over_a_slow_link_keys_are_echoed_while_previews_come_and_the_picture_is_exact(
    sshd: SshServer, slow_link: SlowLink
) -> None:
    before = set(pictures())
    with session(sshd, slow_link.port) as terminal:
        terminal.wait_for("ready")
        job_id = asyncio.run(submit(200))
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
        (picture,) = set(pictures()) - before
        terminal.wait_for(lambda _: shows_exactly(terminal.screen, picture))


@pytest.mark.timeout(300)
def test_a_link_that_stalls_holds_up_no_step_and_then_shows_the_picture(
    sshd: SshServer, slow_link: SlowLink
) -> None:
    before = set(pictures())
    with session(sshd, slow_link.port) as terminal:
        terminal.wait_for("ready")
        job_id = asyncio.run(submit(100))
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
        (picture,) = set(pictures()) - before
        terminal.wait_for(lambda _: shows_exactly(terminal.screen, picture))
