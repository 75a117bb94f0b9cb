"""`sdtui queue` and batches, on a real engine whose worker is a FakeWorker."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sdtui.engine.client import EngineClient
from sdtui.history.images import read_params
from sdtui.params import GenerationParams
from sdtui.protocol.events import FINAL_EVENTS
from tests.commands.conftest import SDTUI
from tests.engine.processes import children, wait_for
from tests.engine.records import history, pictures, stored, unfinished
from tests.engine.watching import until

pytestmark = pytest.mark.usefixtures("fake_engine")

QUICK = ("--steps", "2", "--width", "64", "--height", "64")


def submit(prompt: str, count: int = 1, *, to_the_end: bool = False) -> list[str]:
    """Queue jobs as another client, and wait for their ends if asked to."""

    async def run() -> list[str]:
        client = await EngineClient.connect(start=False)
        params = GenerationParams(prompt=prompt, num_inference_steps=2, seed=7)
        job_ids = await client.submit_batch(params, count)
        for _ in job_ids if to_the_end else []:
            await until(client, *FINAL_EVENTS)
        await client.close()
        return job_ids

    return asyncio.run(run())


def generate(*arguments: str) -> subprocess.Popen[str]:
    """A command that is left running."""
    return subprocess.Popen(
        [*SDTUI, "generate", *arguments, *QUICK],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def listed(sdtui: Callable) -> dict[str, str]:
    """The state of every job in the list."""
    told = json.loads(sdtui("queue", "--json").out)
    return {job["job_id"]: job["state"] for job in told["jobs"]}


def test_an_empty_queue_says_so(sdtui: Callable) -> None:
    outcome = sdtui("queue")
    assert (outcome.code, outcome.out) == (0, "")
    assert "Nothing runs or waits." in outcome.err


def test_the_list_tells_states_places_ids_and_reasons(sdtui: Callable) -> None:
    (failed,) = submit("fail [/] \x1b[2J", to_the_end=True)
    sdtui("queue", "pause")
    first, second = submit("a red apple", 2)
    outcome = sdtui("queue")
    assert outcome.code == 0
    rows = [line.split() for line in outcome.out.splitlines()]
    assert [row[:3] for row in rows[:2]] == [["queued", "1", first], ["queued", "2", second]]
    assert rows[2][:2] == ["failed", failed]
    assert "fail [/] ␛[2J" in outcome.out
    assert "It went wrong" in outcome.out
    assert "seed 7" in outcome.out
    assert "seed 8" in outcome.out
    assert "The queue is paused." in outcome.err
    told = json.loads(sdtui("queue", "--json").out)
    assert told["paused"] is True
    assert [job["job_id"] for job in told["jobs"]] == [first, second, failed]
    assert told["jobs"][2]["title"] == "It went wrong"


def test_jobs_are_moved_cancelled_and_queued_again(sdtui: Callable) -> None:
    assert sdtui("queue", "pause").code == 0
    first, second, third = submit("a red apple", 3)
    assert sdtui("queue", "up", third).code == 0
    assert unfinished() == [first, third, second]
    assert sdtui("queue", "cancel", first).code == 0
    assert stored(first).state == "cancelled"
    assert sdtui("queue", "requeue", first).code == 0
    assert unfinished() == [third, second, first]
    assert pictures() == []
    assert sdtui("queue", "resume").code == 0
    wait_for(lambda: len(pictures()) == 3)


def test_what_ended_is_cleared_and_a_parked_job_only_by_its_id(sdtui: Callable) -> None:
    (failed,) = submit("fail", to_the_end=True)
    (parked,) = submit("die=1", to_the_end=True)
    sdtui("queue", "pause")
    (waiting,) = submit("a red apple")
    assert sdtui("queue", "clear").code == 0
    assert listed(sdtui) == {waiting: "queued", parked: "parked"}
    outcome = sdtui("queue", "clear", waiting)
    assert outcome.code == 2
    assert "no job that failed, was cancelled or is parked" in outcome.err
    assert sdtui("queue", "clear", parked[:12]).code == 0
    assert listed(sdtui) == {waiting: "queued"}
    assert sdtui("queue", "requeue", failed).code == 2


def test_a_running_job_is_cancelled(sdtui: Callable) -> None:
    (running,) = submit("pause=0.5")
    wait_for(lambda: stored(running).state == "running")
    assert sdtui("queue", "cancel", running).code == 0
    assert stored(running).state == "cancelled"


def test_the_beginning_of_an_id_is_enough_unless_two_jobs_have_it(sdtui: Callable) -> None:
    sdtui("queue", "pause")
    job_ids = submit("a red apple", 17)
    digits = [job_id[0] for job_id in job_ids]
    shared = next(digit for digit in digits if digits.count(digit) > 1)
    outcome = sdtui("queue", "cancel", shared)
    assert outcome.code == 2
    assert f"the beginning of {digits.count(shared)} jobs" in outcome.err
    assert unfinished() == job_ids
    assert sdtui("queue", "cancel", job_ids[0][:12]).code == 0
    assert unfinished() == job_ids[1:]


@pytest.mark.parametrize("command", ["cancel", "requeue", "up", "clear"])
@pytest.mark.parametrize(
    ("job_id", "told"),
    [("nobody", "ID nobody: no "), ("x\x1b[2J" * 9, "ID x␛[2Jx␛[2J"), ("", "ID: is empty")],
)
def test_an_unknown_job_is_bad_input_and_named(
    sdtui: Callable, command: str, job_id: str, told: str
) -> None:
    outcome = sdtui("queue", command, job_id)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"sdtui: {told}")
    assert "`sdtui queue` lists" in outcome.err


def test_json_goes_with_the_list_alone(sdtui: Callable) -> None:
    outcome = sdtui("queue", "--json", "pause")
    assert outcome.code == 2
    assert "--json: goes with the list alone" in outcome.err
    assert json.loads(sdtui("queue", "--json").out)["paused"] is False


# Batches ----------------------------------------------------------------------------------------


def test_a_batch_prints_its_numbered_pictures_in_the_order_of_their_seeds(
    sdtui: Callable, tmp_path: Path
) -> None:
    output = tmp_path / "apple.png"
    outcome = sdtui("generate", "x", *QUICK, "--batch", "10", "--seed", "41", "-o", str(output))
    assert outcome.code == 0, outcome.err
    names = [f"apple-{place:02}.png" for place in range(1, 11)]
    assert outcome.out.splitlines() == [str(tmp_path / name) for name in names]
    seeds = [read_params(tmp_path / name).seed for name in names]
    assert seeds == list(range(41, 51))
    assert not output.exists()
    assert len(pictures()) == 10


def test_a_batch_in_json_tells_every_job_and_nothing_of_others(
    sdtui: Callable, tmp_path: Path
) -> None:
    sdtui("queue", "pause")
    others = submit("another", 2)
    command = generate("x", "--batch", "2", "--json")
    wait_for(lambda: len(unfinished()) == 4)
    sdtui("queue", "resume")
    out, err = command.communicate(timeout=60)
    assert command.returncode == 0, err
    told = [json.loads(line) for line in out.splitlines()]
    assert {event["type"] for event in told} >= {"JobQueued", "JobStarted", "JobSaved"}
    assert "QueueChanged" not in {event["type"] for event in told}
    jobs = [event["job_id"] for event in told if event["type"] == "JobSaved"]
    assert len(jobs) == 2
    assert not {event.get("job_id") for event in told} & set(others)


def test_a_place_that_is_taken_refuses_the_whole_batch(sdtui: Callable, tmp_path: Path) -> None:
    (tmp_path / "apple-2.png").write_bytes(b"mine")
    arguments = ("generate", "x", *QUICK, "-n", "3", "-o", str(tmp_path / "apple.png"))
    outcome = sdtui(*arguments)
    assert outcome.code == 2
    assert "apple-2.png exists" in outcome.err
    assert pictures() == []
    assert sdtui(*arguments, "--force").code == 0
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("count", ["0", "-1", "101"])
def test_an_impossible_batch_is_refused(sdtui: Callable, count: str) -> None:
    outcome = sdtui("generate", "x", "--batch", count)
    assert outcome.code == 2
    assert "--batch: must be from 1 to 100" in outcome.err
    assert unfinished() == []


def test_what_is_left_of_a_batch_is_drawn_when_one_job_is_cancelled(
    sdtui: Callable, tmp_path: Path
) -> None:
    sdtui("queue", "pause")
    command = generate("x", "--batch", "3", "-o", str(tmp_path / "apple.png"))
    wait_for(lambda: len(unfinished()) == 3)
    sdtui("queue", "cancel", unfinished()[1])
    sdtui("queue", "resume")
    out, err = command.communicate(timeout=60)
    assert command.returncode == 4
    assert out.splitlines() == [str(tmp_path / f"apple-{place}.png") for place in (1, 3)]
    assert "the queue is paused: `sdtui queue resume`" in err
    assert "1 of 3 pictures could not be made" in err
    assert "The job was cancelled" in err


def test_a_batch_that_fails_says_why_once(sdtui: Callable) -> None:
    outcome = sdtui("generate", "fail", *QUICK, "--batch", "3")
    assert (outcome.code, outcome.out) == (4, "")
    assert outcome.err.count("It went wrong") == 1
    assert "3 of 3 pictures could not be made" in outcome.err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_cancels_the_whole_batch(
    sdtui: Callable, number: signal.Signals, code: int
) -> None:
    sdtui("queue", "pause")
    (other,) = submit("another")
    command = generate("x", "--batch", "3")
    wait_for(lambda: len(unfinished()) == 4)
    command.send_signal(number)
    command.communicate(timeout=60)
    assert command.returncode == code
    assert unfinished() == [other]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_batch_that_is_interrupted_before_it_is_answered_leaves_no_job_behind(
    sdtui: Callable, number: signal.Signals, code: int
) -> None:
    """The engine accepts the jobs and cannot say so yet: it waits for its disk."""
    sdtui("queue", "pause")
    with history() as database:
        database.connection.execute("BEGIN IMMEDIATE")
        command = generate("x", "--batch", "3")
        wait_for(lambda: not asyncio.run(is_answering()), 60)
        command.send_signal(number)
        time.sleep(0.2)
        database.connection.execute("ROLLBACK")
    command.communicate(timeout=60)
    assert command.returncode == code
    with history() as database:
        jobs = database.connection.execute("SELECT state FROM jobs ORDER BY position")
        assert [state for (state,) in jobs] == ["cancelled"] * 3


def test_a_second_signal_leaves_at_once_and_says_which_job_goes_on(
    fake_engine: subprocess.Popen[bytes],
) -> None:
    command = generate("pause=30", "--batch", "3", "--json")
    wait_for(lambda: len(unfinished()) == 3 and stored(unfinished()[0]).state == "running")
    (worker,) = children(fake_engine.pid)
    # It hears of nothing before the second signal.
    os.kill(worker, signal.SIGSTOP)
    command.send_signal(signal.SIGINT)
    assert command.stdout is not None
    cancelled = 0
    while cancelled < 2:
        cancelled += '"JobCancelled"' in command.stdout.readline()
    command.send_signal(signal.SIGINT)
    _, err = command.communicate(timeout=20)
    assert command.returncode == 130
    (running,) = unfinished()
    assert f"Job {running} may still run or wait in the engine" in err
    assert f"`sdtui queue cancel {running}` stops" in err
    os.kill(worker, signal.SIGCONT)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_second_signal_says_how_many_jobs_an_engine_that_does_not_answer_may_have(
    sdtui: Callable, fake_engine: subprocess.Popen[bytes], number: signal.Signals, code: int
) -> None:
    sdtui("queue", "pause")
    command = generate("x", "--batch", "3", "--json")
    wait_for(lambda: len(unfinished()) == 3)
    assert command.stdout is not None
    while '"JobQueued"' not in command.stdout.readline():
        pass
    fake_engine.send_signal(signal.SIGSTOP)
    command.send_signal(number)
    time.sleep(0.5)
    command.send_signal(number)
    _, err = command.communicate(timeout=20)
    fake_engine.send_signal(signal.SIGCONT)
    assert command.returncode == code
    assert "3 jobs may still run or wait in the engine: `sdtui queue` lists" in err


def test_a_second_signal_before_the_answer_says_that_there_was_none(sdtui: Callable) -> None:
    sdtui("queue", "pause")
    with history() as database:
        database.connection.execute("BEGIN IMMEDIATE")
        command = generate("x", "--batch", "3")
        wait_for(lambda: not asyncio.run(is_answering()), 60)
        command.send_signal(signal.SIGINT)
        time.sleep(0.5)
        command.send_signal(signal.SIGINT)
        _, err = command.communicate(timeout=20)
        database.connection.execute("ROLLBACK")
    assert command.returncode == 130
    assert "the engine has not answered yet: `sdtui queue` shows whether it took the jobs" in err


async def is_answering() -> bool:
    """Whether the engine answers a client that comes now."""
    try:
        # Longer, and the engine would have given up on its disk before it is seen to wait.
        async with asyncio.timeout(1):
            client = await EngineClient.connect(start=False)
    except TimeoutError:
        return False
    await client.close()
    return True


def test_a_batch_whose_engine_is_stopped_is_kept(sdtui: Callable) -> None:
    sdtui("queue", "pause")
    command = generate("x", "--batch", "3")
    wait_for(lambda: len(unfinished()) == 3)
    assert sdtui("engine", "stop").code == 0, "a queue that is held back is no work"
    _, err = command.communicate(timeout=60)
    assert command.returncode == 5
    assert "3 jobs are kept" in err
    assert len(unfinished()) == 3


def test_a_cancel_that_the_disk_refuses_is_told_and_does_not_wait(
    sdtui: Callable, fake_engine: subprocess.Popen[bytes]
) -> None:
    sdtui("queue", "pause")
    (job_id,) = submit("a red apple")
    _, most = resource.prlimit(fake_engine.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(fake_engine.pid, resource.RLIMIT_FSIZE, (0, most))
    outcome = sdtui("queue", "cancel", job_id)
    resource.prlimit(fake_engine.pid, resource.RLIMIT_FSIZE, (most, most))
    assert outcome.code == 5
    assert "The history cannot be written" in outcome.err
    assert sdtui("queue", "cancel", job_id).code == 0


def test_gpus_that_the_engine_does_not_see_are_told(
    sdtui: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    outcome = sdtui("generate", "x", *QUICK)
    assert outcome.code == 0
    assert "started with no CUDA_VISIBLE_DEVICES (here CUDA_VISIBLE_DEVICES=1)" in outcome.err
    assert "sdtui engine stop" in outcome.err
