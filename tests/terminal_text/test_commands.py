"""Hostile text in what the commands print, in the raw bytes of a real terminal."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from sdtui import paths
from sdtui.engine.listener import answers
from sdtui.errors import SdtuiError
from sdtui.history.images import JSON_KEY, read_params, save_image
from sdtui.params import GenerationParams
from tests.engine.processes import FAKE_ENGINE, wait_for
from tests.terminal import Terminal
from tests.terminal_text.corpus import CANARY, HOSTILE, harmless
from tests.terminal_text.sequences import Written

ALL = " ".join(HOSTILE)
ARGUMENT = ALL.replace("\0", "")
"""No argument holds a NUL."""
NAME = ARGUMENT.replace("/", "|").encode()[:180].decode(errors="ignore")
"""No name holds a slash, nor more than some two hundred bytes."""

PROGRAM = """
import json, sys
from pathlib import Path
from sdtui.cli import main
from sdtui.commands.output import print_error
from sdtui.errors import SdtuiError
from sdtui.history.images import read_params

for arguments in json.loads(Path(sys.argv[1]).read_text()):
    if arguments[0] == "read":
        try:
            read_params(Path(arguments[1]))
        except SdtuiError as error:
            print_error(error)
    else:
        print("code", main(arguments))
"""
SURFACES = (
    *("command", "option", "model", "prompt", "  prompt", "saved", "device", "class", "logged"),
    *("a", "picture", "nothing"),
)
"""What the texts are called that are said again."""
MODEL_FILES = (
    *("tokenizer/tokenizer.json", "tokenizer/tokenizer_config.json"),
    *("text_encoder/config.json", "text_encoder/model.safetensors"),
    *("unet/config.json", "unet/diffusion_pytorch_model.safetensors"),
    *("vae/config.json", "vae/diffusion_pytorch_model.safetensors"),
    "scheduler/scheduler_config.json",
)
QUICK = ("--steps", "1", "--width", "64", "--height", "64")


@pytest.fixture
def _engine(sdtui_home: Path) -> Iterator[None]:
    engine = subprocess.Popen(
        FAKE_ENGINE, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_for(lambda: answers(paths.socket_path()))
    yield
    engine.kill()
    engine.wait()


def told(commands: list[list[str]], home: Path) -> Written:
    """What the commands write, one after the other, to one terminal."""
    file = home / "commands.json"
    file.write_text(json.dumps(commands))
    env = {"COLORTERM": f"truecolor{ARGUMENT}"}
    with Terminal([sys.executable, "-c", PROGRAM, file], columns=200, env=env) as terminal:
        code = terminal.wait_for_exit()
    written = Written.of(terminal.output)
    assert code == 0, written.text[-2000:]
    for failure in ("Traceback", "MarkupError", "inside sdtui"):
        assert failure not in written.text
    return written


def commands(text: str, name: str, home: Path) -> list[list[str]]:
    """Everything that says something again which it was told."""
    model = home / "models" / f"a {name}"
    for file in MODEL_FILES:
        (model / file).parent.mkdir(parents=True, exist_ok=True)
        (model / file).write_text("{}")
    (model / "model_index.json").write_text(json.dumps({"tokenizer": ["x", f"class {text}"]}))
    damaged = home / f"b {name}"
    damaged.mkdir()
    (damaged / "model_index.json").write_text(f"{{ {text}", errors="surrogateescape")
    log = paths.log_dir() / "engine.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(f"logged {text}\n".encode() + b"\xff\x9b7777H\n")
    picture = home / f"picture {name}.png"
    info = PngImagePlugin.PngInfo()
    info.add_text(JSON_KEY, json.dumps({"version": text, "params": {"prompt": text, text: text}}))
    Image.new("RGB", (1, 1)).save(picture, pnginfo=info)
    return [
        [f"command {text}"],
        ["generate", "x", f"--option {text}"],
        ["generate", "x", "--steps", f"steps {text}"],
        ["generate", "x", "--scheduler", f"scheduler {text}"],
        ["generate", "x", "--model", f"model {text}"],
        ["generate", "x", "--model", str(damaged), *QUICK, "-o", str(home / f"c {name}.png")],
        ["generate", f"fail {text}", *QUICK],
        ["generate", f"prompt {text}", "--negative-prompt", text, "--json", *QUICK],
        ["generate", f"prompt {text}", *QUICK, "-o", str(home / f"saved {name}.png")],
        ["generate", f"prompt {text}", *QUICK, "-o", str(home / f"saved {name}.png")],
        ["generate", "x", "--in-process", "--device", f"device {text}"],
        ["generate", "x", "--in-process", "--model", model.name],
        ["queue"],
        ["queue", "cancel", f"id {text}"],
        ["history"],
        ["history", text],
        ["models"],
        ["doctor"],
        ["engine", "logs"],
        ["engine", "status"],
        ["read", str(picture)],
        ["read", str(home / f"nothing {name}.png")],
    ]


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("_engine")
def test_no_foreign_sequence_reaches_the_terminal_from_any_command(sdtui_home: Path) -> None:
    (sdtui_home / "harmless").mkdir()
    plain = harmless(ARGUMENT)
    reference = commands(plain, plain[:40], sdtui_home / "harmless")
    # The ones that move, colour and align; the others only print.
    ours = told([words for words in reference if "-o" in words or len(words) == 1][1:], sdtui_home)
    written = told(commands(ARGUMENT, NAME, sdtui_home), sdtui_home)
    assert written.foreign(ours) == []
    seen = {
        surface
        for surface in SURFACES
        if re.search(rf"{surface} (␛|\\x1b|\\u001b)\[{CANARY}", written.text)
    }
    assert seen == set(SURFACES)
    saved = sdtui_home / f"saved {NAME}.png"
    assert read_params(saved).prompt == f"prompt {ARGUMENT}"


@pytest.mark.parametrize("text", HOSTILE)
def test_a_picture_says_its_prompt_again_as_it_was(text: str) -> None:
    params = GenerationParams(prompt=f"x{text}", negative_prompt=text)
    path = save_image(bytes(3), 1, 1, params, version="1")
    assert read_params(path) == params
    assert Written.of(os.fsencode(path)).foreign(Written.of(b"")) == []


def test_text_in_a_picture_that_is_no_record_is_an_error_and_no_crash(tmp_path: Path) -> None:
    path = tmp_path / "foreign.png"
    for text in (*HOSTILE, "{}", '{"params": []}', "[" * 5_000):
        info = PngImagePlugin.PngInfo()
        info.add_itxt(JSON_KEY, text.replace("\0", ""))
        Image.new("RGB", (1, 1)).save(path, pnginfo=info)
        with contextlib.suppress(SdtuiError):
            pytest.fail(f"read {read_params(path)}")
