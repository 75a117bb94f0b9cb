"""How sdtui is called, and how it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.cells import cell_len

import sdtui as package
from sdtui import cli
from sdtui.diffusion import redaction
from sdtui.errors import SdtuiError
from sdtui.models import catalogue
from sdtui.params import wanted_device, wanted_dtype
from tests.terminal import Terminal


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_terminal_the_headless_command_is_named() -> None:
    done = python("import sys; from sdtui.cli import main; sys.exit(main([]))")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "sdtui generate" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_that_obeys_nothing_is_refused(term: str) -> None:
    with Terminal([sys.executable, "-m", "sdtui"], env={"TERM": term}) as terminal:
        assert terminal.wait_for_exit() == 2
    assert b"sdtui generate" in terminal.output
    assert b"\x1b" not in terminal.output


def test_the_way_into_the_interface_imports_nothing_heavy() -> None:
    done = python(
        "import sys, sdtui.cli, sdtui.tui.app;"
        "heavy = {'torch', 'diffusers', 'transformers', 'typer', 'numpy', 'PIL'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_the_commands_import_no_torch() -> None:
    done = python(
        "import sys; from sdtui.cli import main;"
        "main(['--help']); main(['generate', '', '--model', 'pocket']); main(['models']);"
        "main(['queue']); main(['history']);"
        "import sdtui.commands.picture, sdtui.commands.progress_line;"
        "import sdtui.commands.through_engine, sdtui.engine.client, sdtui.engine.gallery_desk;"
        "import sdtui.engine.log_file, sdtui.engine.queue_listing, sdtui.history.database;"
        "print('torch' in sys.modules)"
    )
    assert done.stdout.splitlines()[-1] == "False", done.stderr


def test_the_version_is_the_packages(sdtui: Callable) -> None:
    assert sdtui("--version").out == f"sdtui {package.__version__}\n"


def test_help_lists_every_command(sdtui: Callable) -> None:
    shown = sdtui("--help")
    assert shown.code == 0
    commands = ("generate", "history", "models", "doctor", "engine", "queue")
    for word in (*commands, "--version", "Exit codes"):
        assert word in shown.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["paint"], "'paint'"),
        (["generate"], "prompt"),
        (["generate", "x", "--steps", "many"], "--steps"),
        (["generate", "x", "--glow"], "--glow"),
        (["engine"], "Missing command"),
        (["\x1b[2J"], "[2J"),
    ],
)
def test_a_wrong_call_is_explained_without_a_traceback(
    sdtui: Callable, arguments: list[str], said: str
) -> None:
    outcome = sdtui(*arguments)
    assert outcome.code == 2
    assert said in outcome.err
    assert "--help" in outcome.err
    assert "\x1b" not in outcome.err


def test_an_error_is_printed_as_what_where_and_what_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cli.print_error(SdtuiError("It [b]broke\x1b[2J", "here\nand there", "Sweep."))
    assert capsys.readouterr().err == ("sdtui: It [b]broke␛[2J\n  here\n  and there\n  Sweep.\n")


def test_ctrl_c_ends_with_130(sdtui: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(arguments: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_run_command", interrupted)
    assert sdtui("models").code == 130


def test_a_defect_leaves_its_traceback_in_a_file(
    sdtui: Callable, monkeypatch: pytest.MonkeyPatch, sdtui_home: Path
) -> None:
    def broken(arguments: list[str]) -> int:
        raise ZeroDivisionError("no parts")

    monkeypatch.setattr(cli, "_run_command", broken)
    outcome = sdtui("models")
    log = sdtui_home / "logs" / "crash.log"
    assert outcome.code == 1
    assert "ZeroDivisionError: no parts" in outcome.err
    assert str(log) in outcome.err
    assert "Traceback" not in outcome.err
    assert "Traceback" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_defect_does_not_give_the_hubs_token_away(
    sdtui: Callable, monkeypatch: pytest.MonkeyPatch, sdtui_home: Path
) -> None:
    canary = "canary-of-no-known-shape"

    def broken(arguments: list[str]) -> int:
        raise ZeroDivisionError(f"Bearer {canary}, {canary}, hf_abcdefgh12345678")

    monkeypatch.setattr(cli, "_run_command", broken)
    monkeypatch.setenv("HF_TOKEN", canary)
    redaction._tokens.cache_clear()
    outcome = sdtui("models")
    redaction._tokens.cache_clear()
    told = outcome.err + (sdtui_home / "logs" / "crash.log").read_text()
    assert told.count("ZeroDivisionError: Bearer [redacted] [redacted], [redacted]") == 2
    assert canary not in told
    assert "hf_abcdefgh" not in told


def test_a_home_that_leads_nowhere_is_no_defect_and_hides_none(
    sdtui: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDTUI_HOME", "~nosuchuser/x")
    monkeypatch.setattr("sdtui.commands.terminal.require_terminal", lambda: None)
    monkeypatch.setattr(cli, "launch", lambda: 0)
    for arguments in ([], ["models"]):
        outcome = sdtui(*arguments)
        assert outcome.code == 2
        assert outcome.err.startswith("sdtui: SDTUI_HOME: '~nosuchuser/x' is in the home folder")

    def broken(arguments: list[str]) -> int:
        raise ZeroDivisionError("no parts")

    monkeypatch.setattr(cli, "_run_command", broken)
    outcome = sdtui("models")
    assert outcome.code == 1
    assert "ZeroDivisionError: no parts" in outcome.err
    assert "could not be written. SDTUI_HOME: '~nosuchuser/x'" in outcome.err


def test_models_lists_the_bundled_one_first(sdtui: Callable) -> None:
    lines = sdtui("models").out.splitlines()
    assert lines[0].split() == ["pocket", "128×128"]
    assert lines[2].split() == ["stable-diffusion-v1-5/stable-diffusion-v1-5", "512×512"]


def test_a_model_is_shown_with_what_it_knows_and_what_not(sdtui: Callable) -> None:
    outcome = sdtui("models", "show", "pocket")
    assert outcome.code == 0
    known = json.loads((Path(str(catalogue.locate("pocket"))) / "things.json").read_text())
    text = " ".join(outcome.out.split())
    for words in known.values():
        assert all(word in text for word in words)
    assert f"things ({len(known['things'])})" in text
    assert "no people" in text
    assert max(map(cell_len, outcome.out.splitlines())) <= 100


def test_of_a_model_on_the_hub_it_is_said_that_it_comes_when_loaded(sdtui: Callable) -> None:
    outcome = sdtui("models", "show", "runwayml/stable-diffusion-v1-5")
    assert outcome.code == 0
    assert "gone from the hub" in outcome.out
    assert "downloaded when it is first loaded" in outcome.out


def test_what_is_no_model_is_not_shown(sdtui: Callable) -> None:
    outcome = sdtui("models", "show", "nosuch")
    assert outcome.code == 3
    assert "Known models: pocket" in outcome.err


def test_models_stand_in_columns_however_wide_their_names(
    sdtui: Callable, sdtui_home: Path
) -> None:
    for name in ("ab", "りんご", "[b]x" * 12):
        folder = sdtui_home / "models" / name
        folder.mkdir(parents=True)
        (folder / "model_index.json").write_text("{}")
    rows = [line for line in sdtui("models").out.splitlines() if not line.startswith(" ")]
    assert len(rows) == 5
    assert len({cell_len(row.rpartition("  ")[0]) for row in rows}) == 1


@pytest.mark.parametrize(
    ("arguments", "variable", "named"),
    [(["--renderer", "ReGIS"], "half", "--renderer"), ([], "ReGIS", "SDTUI_RENDERER")],
)
def test_a_renderer_that_is_none_is_refused_as_the_user_named_it(
    sdtui: Callable,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    variable: str,
    named: str,
) -> None:
    monkeypatch.setenv("SDTUI_RENDERER", variable)
    monkeypatch.setattr("sdtui.commands.terminal.require_terminal", lambda: None)
    outcome = sdtui(*arguments)
    assert outcome.code == 2
    assert outcome.err.startswith(f"sdtui: {named}: 'ReGIS' is no renderer")


@pytest.mark.parametrize(
    ("arguments", "variable"),
    [
        (["--dtype", "float8"], ""),
        (["generate", "x", "--dtype", "float8"], ""),
        ([], "float8"),
        (["generate", "x"], "float8"),
    ],
)
def test_a_precision_that_is_none_is_refused_however_it_was_asked_for(
    sdtui: Callable, monkeypatch: pytest.MonkeyPatch, arguments: list[str], variable: str
) -> None:
    monkeypatch.setenv("SDTUI_DTYPE", variable)
    monkeypatch.setattr("sdtui.commands.terminal.require_terminal", lambda: None)
    outcome = sdtui(*arguments)
    assert outcome.code == 2
    assert outcome.err.startswith("sdtui: --dtype or SDTUI_DTYPE: must be auto, float32, float16")


def test_the_interface_gets_the_device_and_precision_of_its_options(
    sdtui: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDTUI_DEVICE", "cpu")
    monkeypatch.setenv("SDTUI_DTYPE", "bfloat16")
    wanted = []

    def begin() -> int:
        wanted.append((wanted_device(), wanted_dtype()))
        return 0

    monkeypatch.setattr(cli, "_run_interface", begin)
    for arguments in ([], ["--device", "cuda:1", "--dtype", "float32"]):
        assert sdtui(*arguments).code == 0
    assert wanted == [("cpu", "bfloat16"), ("cuda:1", "float32")]


def test_a_wrong_variable_of_the_interface_stops_no_command(
    sdtui: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDTUI_RENDERER", "ReGIS")
    monkeypatch.setenv("SDTUI_DTYPE", "float8")
    assert sdtui("models").code == 0


def test_the_help_of_a_group_says_what_it_does_alone_and_names_no_other_command(
    sdtui: Callable,
) -> None:
    for group in ("queue", "models"):
        shown = sdtui(group, "--help").out
        assert "List the " in shown
        assert "list them" not in shown
        assert "list," not in shown


def test_what_the_locale_has_no_characters_for_is_printed_all_the_same() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sdtui", "models"],
        env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert r"128\xd7128" in done.stdout


def test_output_that_nobody_reads_is_no_defect(sdtui_home: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "sdtui", "models"],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert "BrokenPipe" not in done.stderr
    assert not (sdtui_home / "logs" / "crash.log").exists()
