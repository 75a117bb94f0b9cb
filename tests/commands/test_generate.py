"""`sdtui generate`: a picture without the interface."""

from __future__ import annotations

import io
import json
import math
import os
import re
import signal
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sdtui.commands import in_process
from sdtui.commands.delivery import deliver
from sdtui.commands.output import EventLines, print_path
from sdtui.commands.picture import fitted
from sdtui.errors import GenerationError
from sdtui.history.images import read_params
from sdtui.params import GenerationParams
from sdtui.protocol.events import Event, JobFailed, StepCompleted
from tests.commands.conftest import SDTUI
from tests.terminal import Terminal

QUICK = ("--steps", "2", "--width", "64", "--height", "64")
LONG = ("--steps", "200", "--width", "384", "--height", "384")
"""Minutes of work, so that a slow terminal has its say before the job ends."""


def events(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


# Input that is refused before anything starts ---------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (["x", "--steps", "0"], "--steps: must be from 1 to 200", 2),
        (["x", "--steps", "-3"], "--steps: must be from 1 to 200", 2),
        (["x", "--height", "100"], "--height: must be a multiple of 8\n  Try 96 or 104.", 2),
        (["x", "--guidance-scale", "nan"], "--guidance-scale: must be a finite number", 2),
        (["x", "--seed", str(2**70)], "--seed: must be from 0 to", 2),
        (["x", "--scheduler", "[/]"], "--scheduler: is not one that sdtui knows", 2),
        ([""], "prompt: is empty", 2),
        (["x" * 20_001], "prompt: has 20,001 characters", 2),
        (["x", "--model", ""], "--model: is empty", 2),
        (["x", "--model", "nope\x1b[2J"], "nope␛[2J is neither", 3),
        (["x", "-o", "apple.jpg"], "is no PNG", 2),
        (["x", "-o", "/nowhere/apple.png"], "-o: /nowhere is no folder", 2),
        (["x", "-o", "."], "is a folder", 2),
        (["x", "-o", f"{'x' * 300}.png"], "File name too long", 2),
        (["x", "-o", "~nobody-of-that-name/apple.png"], "Could not determine home", 2),
        (["x", "--show", "--json"], "--show: does not go with --json", 2),
    ],
)
def test_bad_input_gets_a_message_and_an_exit_code(
    sdtui: Callable, sdtui_home: Path, arguments: list[str], said: str, code: int
) -> None:
    outcome = sdtui("generate", *arguments)
    assert (outcome.code, outcome.out) == (code, "")
    assert said in outcome.err
    assert not (sdtui_home / "run").exists(), "an engine was started for nothing"


def test_a_file_that_exists_is_not_drawn_over(sdtui: Callable, tmp_path: Path) -> None:
    output = tmp_path / "apple.png"
    output.write_bytes(b"mine")
    outcome = sdtui("generate", "x", "-o", str(output))
    assert outcome.code == 2
    assert "--force" in outcome.err
    assert output.read_bytes() == b"mine"


def test_a_prompt_from_stdin_that_is_no_text_is_refused(
    sdtui: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"caf\xe9")))
    outcome = sdtui("generate", "-")
    assert outcome.code == 2
    assert "not UTF-8" in outcome.err


@pytest.mark.parametrize("name", ["an apple\n\x1b[2J.png", os.fsdecode(b"caf\xe9.png")])
def test_a_path_leaves_byte_for_byte_where_no_terminal_reads_it(
    name: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    print_path(Path(name))
    sys.stdout.flush()
    assert capfdbinary.readouterr().out == os.fsencode(name) + b"\n"


def test_a_copy_that_the_folder_refuses_names_the_picture_that_is_kept(tmp_path: Path) -> None:
    kept, output = tmp_path / "kept.png", tmp_path / "apple.png"
    kept.write_bytes(b"drawn")
    output.mkdir()
    for force in (False, True):
        with pytest.raises(GenerationError, match=f"kept as {kept}"):
            deliver(kept, output, force=force)
    assert sorted(tmp_path.iterdir()) == [output, kept]


def test_numbers_that_json_does_not_know_are_null(capsys: pytest.CaptureFixture[str]) -> None:
    step = StepCompleted(
        job_id="1",
        step_index=0,
        count=1,
        timestep=999,
        sigma=math.inf,
        latents_mean=math.nan,
        latents_std=1,
        guidance_scale=7.5,
        guidance_norm=None,
        seconds=0.1,
    )
    EventLines().show(step)
    told = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert (told["sigma"], told["latents_mean"], told["latents_std"]) == (None, None, 1)


# In this process --------------------------------------------------------------------------------


def test_a_picture_drawn_in_process_is_saved_with_its_parameters(
    sdtui: Callable, tmp_path: Path
) -> None:
    output = tmp_path / "apple.png"
    output.write_bytes(b"to be replaced")
    outcome = sdtui(
        *("generate", "a [red] apple", "--negative-prompt", "worm", "--seed", "42"),
        *("--scheduler", "dpm++ 2m", "--in-process", "--force", "-o", str(output), *QUICK),
    )
    assert outcome.code == 0, outcome.err
    assert outcome.out == f"{output}\n"
    params = read_params(output)
    assert params.prompt == "a [red] apple"
    assert params.negative_prompt == "worm"
    assert params.scheduler == "DPM++ 2M"
    assert (params.seed, params.num_inference_steps) == (42, 2)
    with Image.open(output) as image:
        assert image.size == (64, 64)


def test_a_batch_in_process_is_numbered_and_has_the_following_seeds(
    sdtui: Callable, tmp_path: Path
) -> None:
    output = tmp_path / "apple.png"
    arguments = ("generate", "x", "--seed", "7", "--in-process", *QUICK, "--json")
    outcome = sdtui(*arguments, "--batch", "2", "-o", str(output))
    assert outcome.code == 0, outcome.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["apple-1.png", "apple-2.png"]
    assert [read_params(path).seed for path in sorted(tmp_path.iterdir())] == [7, 8]
    told = [event["type"] for event in events(outcome.out)]
    assert (told.count("ModelLoaded"), told.count("JobSaved")) == (1, 2)


def test_a_picture_that_fails_in_process_keeps_no_other_from_being_drawn(
    sdtui_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    params = GenerationParams(prompt="x", seed=7, num_inference_steps=2, width=64, height=64)
    outputs = [tmp_path / "gone" / "1.png", tmp_path / "2.png"]
    told: list[Event] = []
    taken: list[Path] = []
    with pytest.raises(GenerationError, match="could not be copied"):
        in_process.draw(params, outputs, "cpu", "auto", told.append, taken.append, force=False)
    assert taken == [outputs[1]]
    assert read_params(outputs[1]).seed == 8
    assert [type(event) for event in told if isinstance(event, JobFailed)] == [JobFailed]
    assert "1 of 2 pictures could not be made" in capsys.readouterr().err


def test_a_folder_that_takes_no_picture_costs_no_work_and_no_picture_with_another_place(
    sdtui: Callable, sdtui_home: Path, tmp_path: Path
) -> None:
    sdtui_home.mkdir(exist_ok=True)
    (sdtui_home / "images").write_text("no folder")
    arguments = ("generate", "x", "--in-process", *QUICK)
    refused = sdtui(*arguments)
    assert (refused.code, refused.out) == (4, "")
    assert str(sdtui_home / "images") in refused.err
    assert "-o" in refused.err
    assert "loading" not in refused.err

    output = tmp_path / "apple.png"
    outcome = sdtui(*arguments, "-o", str(output), "--negative-prompt", "y", "--guidance-scale=1")
    assert (outcome.code, outcome.out) == (0, f"{output}\n"), outcome.err
    assert read_params(output).prompt == "x"
    assert "the picture is where -o says only" in outcome.err
    assert "the negative prompt has no effect" in outcome.err


def test_what_the_model_does_not_see_of_a_prompt_is_told_once(
    sdtui: Callable, tmp_path: Path
) -> None:
    output = tmp_path / "long.png"
    prompt = "apple " * 80 + "[bold]pear"
    outcome = sdtui("generate", prompt, "-n", "2", "--in-process", "-o", str(output), *QUICK)
    assert outcome.code == 0
    told = [line for line in outcome.err.splitlines() if "too long" in line]
    assert len(told) == 1
    assert told[0].startswith("sdtui: the prompt is too long; the model does not see its end: ")
    assert told[0].endswith("[bold]pear")


def test_a_broken_model_is_the_models_fault(sdtui: Callable, tmp_path: Path) -> None:
    outcome = sdtui("generate", "x", "--model", str(tmp_path), "--in-process")
    assert outcome.code == 3
    assert "model_index.json" in outcome.err


# Through the engine -----------------------------------------------------------------------------


def test_json_tells_every_event_in_order_and_ends_with_the_file(
    shell: Callable, tmp_path: Path
) -> None:
    output = tmp_path / "apple.png"
    outcome = shell("generate", "-", "--json", "-o", str(output), *QUICK, stdin="a red apple\n")
    assert outcome.code == 0, outcome.err
    assert outcome.out.isascii()
    told = events(outcome.out)
    job = [event for event in told if "job_id" in event]
    assert [event["type"] for event in job] == [
        "JobQueued",
        "JobStarted",
        "PromptTokenized",
        "PromptEncoded",
        "LatentsDrawn",
        "DenoisingStarted",
        "StepCompleted",
        "StepCompleted",
        "ImageDecoded",
        "JobSaved",
    ]
    assert all("rgb" not in event for event in told)
    assert job[0]["params"]["prompt"] == "a red apple"
    assert job[-1]["path"] == str(output)
    seed = read_params(output).seed
    assert f"seed {seed}" in outcome.err


def test_json_says_no_status_twice(shell: Callable) -> None:
    told = events(shell("generate", "x", "--json", *QUICK).out)
    statuses = [{**event, "time": 0} for event in told if event["type"] == "EngineStatus"]
    assert statuses
    assert all(one != other for one, other in pairwise(statuses))


def test_words_without_quotes_are_the_prompt(shell: Callable) -> None:
    outcome = shell("generate", "a", "red", "apple", *QUICK)
    assert outcome.code == 0, outcome.err
    assert read_params(Path(outcome.out.strip())).prompt == "a red apple"


def test_a_batch_tells_the_seed_of_each_file(shell: Callable, tmp_path: Path) -> None:
    output = tmp_path / "apple.png"
    outcome = shell("generate", "x", "--seed", "7", "--batch", "2", "-o", str(output), *QUICK)
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines() == [f"{tmp_path}/apple-1.png", f"{tmp_path}/apple-2.png"]
    assert [line for line in outcome.err.splitlines() if "seed" in line] == [
        "sdtui: seed 7",
        "sdtui: seed 8",
    ]


def test_a_stopped_job_has_no_time_left(shared_home: Path) -> None:
    command = [*SDTUI, "generate", "a red apple", "--seed", "7", *LONG]
    with Terminal(command, env={"SDTUI_HOME": str(shared_home)}) as terminal:
        terminal.wait_for(lambda screen: re.search(r"/200 .*it/s.*\d:\d\d", screen))
        terminal.send("\x03")
        assert terminal.wait_for_exit() == 130
    (line,) = [line for line in terminal.text.splitlines() if "/200" in line]
    assert "stopped" in line
    assert not re.search(r"\d:\d\d", line)


def test_without_o_the_picture_is_in_the_dated_folder(shell: Callable, shared_home: Path) -> None:
    outcome = shell("generate", "a red apple", *QUICK)
    assert outcome.code == 0, outcome.err
    path = Path(outcome.out.strip())
    assert path.is_relative_to(shared_home / "images")
    assert read_params(path).prompt == "a red apple"


def test_engine_and_process_draw_the_same_picture(
    shell: Callable, sdtui: Callable, tmp_path: Path
) -> None:
    pictures = [tmp_path / "engine.png", tmp_path / "process.png"]
    arguments = ("generate", "a red apple", "--seed", "7", *QUICK)
    assert shell(*arguments, "-o", str(pictures[0])).code == 0
    assert sdtui(*arguments, "-o", str(pictures[1]), "--in-process").code == 0
    with Image.open(pictures[0]) as one, Image.open(pictures[1]) as other:
        assert one.tobytes() == other.tobytes()


def test_a_job_that_fails_in_the_engine_ends_with_its_own_code(
    shell: Callable, tmp_path: Path
) -> None:
    outcome = shell("generate", "x", "--model", str(tmp_path), *QUICK)
    assert outcome.code == 3
    assert "model_index.json" in outcome.err


@pytest.mark.parametrize("lines", [24, 60])
def test_a_terminal_sees_progress_and_the_picture(shared_home: Path, lines: int) -> None:
    command = [*SDTUI, "generate", "a red apple", "--show", *QUICK]
    with Terminal(command, env={"SDTUI_HOME": str(shared_home)}, lines=lines) as terminal:
        assert terminal.wait_for_exit() == 0
    blocks = [line for line in terminal.text.splitlines() if "▄" in line or "▀" in line]
    # The picture has 64×64 pixels, and all of it is in view with what was said before it.
    assert 0 < len(blocks) <= lines - 5
    assert "seed" in terminal.text
    assert "saved" in terminal.text
    assert "2/2" in terminal.text
    assert terminal.text.rstrip().endswith(".png")


def test_ctrl_c_cancels_the_job(shared_home: Path, shell: Callable) -> None:
    command = [*SDTUI, "generate", "a red apple", "--seed", "7", *LONG, "--json"]
    with Terminal(command, env={"SDTUI_HOME": str(shared_home)}) as terminal:
        terminal.wait_for(lambda _: b'"StepCompleted"' in terminal.output)
        terminal.send("\x03")
        assert terminal.wait_for_exit() == 130
    last = json.loads(terminal.output.decode().splitlines()[-1])
    assert last["type"] == "JobCancelled"
    assert 0 < last["completed"] < 200
    assert "idle" in shell("engine", "status").out


def test_sigterm_cancels_the_job_too(shared_home: Path, shell: Callable) -> None:
    command = [*SDTUI, "generate", "a red apple", "--seed", "7", *LONG, "--json"]
    with Terminal(command, env={"SDTUI_HOME": str(shared_home)}) as terminal:
        terminal.wait_for(lambda _: b'"StepCompleted"' in terminal.output)
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.wait_for_exit() == 128 + signal.SIGTERM
    assert "idle" in shell("engine", "status").out


def test_an_engine_that_dies_is_reported() -> None:
    command = [*SDTUI, "generate", "a red apple", "--seed", "7", *LONG, "--json"]
    with Terminal(command) as terminal:
        terminal.wait_for(lambda _: b"}\r\n" in terminal.output)
        first = json.loads(terminal.output.decode().splitlines()[0])
        os.kill(first["pid"], signal.SIGKILL)
        assert terminal.wait_for_exit() == 5
    assert "engine was lost" in terminal.text


@pytest.mark.parametrize(
    ("picture", "room", "size"),
    [
        ((128, 128), (80, 24), (48, 48)),
        ((128, 128), (200, 80), (128, 128)),
        ((512, 256), (80, 24), (80, 40)),
        ((64, 2048), (80, 24), (1, 48)),
        ((128, 128), (80, -3), (2, 2)),
    ],
)
def test_a_printed_picture_fits_and_keeps_its_aspect(
    picture: tuple[int, int], room: tuple[int, int], size: tuple[int, int]
) -> None:
    assert fitted(*picture, *room) == size
