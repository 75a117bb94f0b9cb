"""The worker's own process: its pipes, its cores, its inbox."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from sdtui.engine.inbox import Inbox, JobControl, PreviewCredit
from sdtui.params import GenerationParams
from sdtui.protocol.codec import encode
from sdtui.protocol.requests import Adjust, Cancel, GrantPreview, LoadModel, RunJob
from tests.engine.processes import wait_for

NOISY_PROGRAM = """
import os, sys
from sdtui.engine.worker import claim_pipes
requests, wire = claim_pipes()
print("a library prints")
os.system("echo a child prints")
sys.stdout.flush()
assert sys.stdin.read() == ""
wire.write(b"heard " + requests.read())
wire.flush()
"""


def test_what_libraries_print_does_not_reach_the_wire() -> None:
    result = subprocess.run(
        [sys.executable, "-c", NOISY_PROGRAM], input=b"requests", capture_output=True, check=True
    )
    assert result.stdout == b"heard requests"
    assert b"a library prints" in result.stderr
    assert b"a child prints" in result.stderr


def test_the_worker_ends_with_its_pipe_while_it_imports_torch() -> None:
    worker = subprocess.Popen(
        [sys.executable, "-m", "sdtui.engine.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert worker.stdin is not None
    worker.stdin.close()
    assert worker.wait(20) == 0
    assert worker.stdout is not None
    assert worker.stdout.read() == b""


@pytest.fixture
def pipe() -> Iterator[tuple[BinaryIO, Inbox]]:
    """The end that asks, and an inbox at the other one."""
    read_end, write_end = os.pipe()
    ended = threading.Event()
    with os.fdopen(write_end, "wb", buffering=0) as asking, os.fdopen(read_end, "rb") as answering:
        yield asking, Inbox(answering, on_end=ended.set)
        asking.close()
        assert ended.wait(10)


def run(job_id: str, **others: object) -> RunJob:
    return RunJob(job_id=job_id, params=GenerationParams(prompt="x"), **others)  # type: ignore[arg-type]


def test_cancel_and_adjust_reach_the_running_job_only(pipe: tuple[BinaryIO, Inbox]) -> None:
    asking, inbox = pipe
    asking.write(encode(run("1")))
    request, control = inbox.take()
    assert request == run("1")
    asking.write(encode(Cancel(job_id="other")) + encode(Adjust(job_id="other", guidance_scale=1)))
    asking.write(encode(Adjust(job_id="1", guidance_scale=3.0)))
    wait_for(lambda: control.guidance_scale is not None)
    assert not control.cancelled
    assert control.take_guidance_scale() == 3.0
    assert control.take_guidance_scale() is None
    asking.write(encode(Cancel(job_id="1")))
    wait_for(lambda: control.cancelled)


def test_guidance_changed_while_the_job_waited_is_there_from_its_start(
    pipe: tuple[BinaryIO, Inbox],
) -> None:
    asking, inbox = pipe
    asking.write(encode(run("2", guidance_scale=2.0)))
    _, control = inbox.take()
    assert control.take_guidance_scale() == 2.0


def test_a_credit_is_one_preview_in_whichever_job_comes(pipe: tuple[BinaryIO, Inbox]) -> None:
    asking, inbox = pipe
    asking.write(encode(GrantPreview()) + encode(GrantPreview()) + encode(run("3")))
    _, control = inbox.take()
    assert control.credit.take()
    assert not control.credit.take()


def test_a_second_grant_adds_latents_to_the_one_preview(pipe: tuple[BinaryIO, Inbox]) -> None:
    asking, inbox = pipe
    for grant in (GrantPreview(), GrantPreview(latents=True), GrantPreview()):
        asking.write(encode(grant))
    asking.write(encode(run("3")))
    _, control = inbox.take()
    assert control.credit.take()
    assert control.credit.take_latents()
    assert not control.credit.take_latents()


@pytest.mark.parametrize(
    ("later", "gives_way"),
    [
        (LoadModel(model="other"), True),
        (LoadModel(model="pocket", device="cpu"), True),
        (LoadModel(model="pocket"), False),
        (run("4"), False),
        (run("5", dtype="float16"), True),
    ],
)
def test_loading_ahead_gives_way_to_what_needs_another_model(
    pipe: tuple[BinaryIO, Inbox], later: LoadModel | RunJob, gives_way: bool
) -> None:
    asking, inbox = pipe
    asking.write(encode(LoadModel(model="pocket")))
    _, loading = inbox.take()
    asking.write(encode(later))
    inbox.take()
    assert loading.cancelled == gives_way


def test_controls_are_apart_and_share_the_credit_that_they_are_given() -> None:
    credit = PreviewCredit()
    first, second = JobControl(credit), JobControl(credit)
    first.credit.grant()
    assert second.credit.take()
    assert not first.credit.take()


def ignored(pid: int) -> set[int]:
    """The signals that a process ignores."""
    status = Path(f"/proc/{pid}/status").read_text()
    (mask,) = [int(line.split()[1], 16) for line in status.splitlines() if "SigIgn" in line]
    return {number for number in signal.valid_signals() if mask >> (number - 1) & 1}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_signals_that_end_a_session_leave_the_worker_to_its_supervisor() -> None:
    worker = subprocess.Popen(
        [sys.executable, "-m", "sdtui.engine.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert worker.stdin is not None
    wait_for(lambda: {signal.SIGTERM, signal.SIGHUP} <= ignored(worker.pid))
    worker.send_signal(signal.SIGTERM)
    worker.send_signal(signal.SIGHUP)
    worker.stdin.close()
    assert worker.wait(20) == 0
