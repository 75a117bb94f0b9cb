"""`sdtui doctor`: findings with a state, a value and a remedy."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from sdtui.commands import findings
from sdtui.commands.findings import BROKEN, OK, WARN, Finding
from sdtui.commands.terminal import color_count
from tests.commands.conftest import SDTUI
from tests.terminal import Terminal


def named(found: list[Finding], name: str) -> Finding:
    return next(finding for finding in found if finding.name == name)


def test_everything_is_looked_at_and_nothing_is_broken(sdtui: Callable, sdtui_home: Path) -> None:
    outcome = sdtui("doctor", "--json")
    assert outcome.code == 0, outcome.out
    found = {finding["name"]: finding for finding in json.loads(outcome.out)}
    assert {"python", "sdtui", "torch", "gpu", "memory", "terminal", "colours"} <= set(found)
    assert {"engine", "socket", "log", "pictures", "models", "model pocket"} <= set(found)
    assert found["engine"]["value"].startswith("not running")
    assert str(sdtui_home) in found["socket"]["value"]
    assert found["model pocket"] == {
        "name": "model pocket",
        "state": OK,
        "value": "at hand, 128×128",
        "remedy": "",
    }
    assert not (sdtui_home / "images").exists(), "looking must not make folders of pictures"


def test_in_a_terminal_its_size_and_colours_are_told() -> None:
    with Terminal([*SDTUI, "doctor"], columns=130, lines=50) as terminal:
        assert terminal.wait_for_exit() == 0
    assert "xterm-256color, 130×50" in terminal.text
    assert "24 bits (COLORTERM=truecolor)" in terminal.text


def test_a_terminal_is_asked_what_it_shows_and_shows_a_picture_in_each_way() -> None:
    with Terminal([*SDTUI, "doctor"], columns=130, lines=90) as terminal:
        terminal.wait_for(lambda _: b"\x1b[c" in terminal.output)
        terminal.send("\x1bP>|XTerm(379)\x1b\\\x1b[6;18;9t\x1b[?64;4;22c")
        assert terminal.wait_for_exit() == 0
    # The terminal of the tests knows no Sixel and would print it.
    text = re.sub(r"\x1bP0.*?\x1b\\", "", terminal.output.decode(), flags=re.DOTALL)
    assert "XTerm(379); Kitty graphics no, Sixel yes, a cell 9×18 pixels" in text
    assert "sixel (auto); also half, quadrant, sextant, ascii" in text
    assert "62;4;22c" not in text
    lines = text.splitlines()
    for name in ("half", "quadrant", "sextant", "sixel", "ascii"):
        assert name in lines
    assert "kitty" not in lines
    assert b"\x1bP0;1;0q" in terminal.output


def test_a_terminal_that_says_nothing_gets_half_blocks() -> None:
    with Terminal([*SDTUI, "doctor"], columns=130, lines=90) as terminal:
        assert terminal.wait_for_exit() == 0
    assert "no answer within 1 s, so half blocks" in terminal.text


def test_a_broken_torch_is_a_finding_and_the_rest_is_still_told(
    sdtui: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('libcudart.so.13 is missing')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    outcome = sdtui("doctor")
    assert outcome.code == 1
    assert "broken torch" in outcome.out
    assert "libcudart.so.13 is missing" in outcome.out
    assert "Traceback" not in outcome.out + outcome.err
    assert "model pocket" in outcome.out


def test_a_folder_for_pictures_that_cannot_be_written_is_broken(
    monkeypatch: pytest.MonkeyPatch, sdtui_home: Path
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: not mode & os.W_OK)
    pictures = named(findings.folders(), "pictures")
    assert (pictures.state, "SDTUI_HOME" in pictures.remedy) == (BROKEN, True)


def test_a_folder_that_cannot_be_looked_at_is_no_reason_to_say_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SDTUI_HOME", str(tmp_path / ("x" * 300)))
    assert [finding.name for finding in findings.folders()] == ["pictures", "names", "models"]


def test_a_home_that_is_a_file_is_broken_in_all_that_needs_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SDTUI_HOME", str(tmp_path / "file"))
    for finding in (named(findings.engine(), "engine"), named(findings.folders(), "pictures")):
        assert (finding.state, "SDTUI_HOME" in finding.remedy) == (BROKEN, True)
        assert str(tmp_path / "file") in finding.value


def test_a_template_that_makes_no_name_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert named(findings.folders(), "names").value == "{date}/{number}-{prompt}-{seed}"
    monkeypatch.setenv("SDTUI_PICTURE_NAMES", "{glow}")
    names = named(findings.folders(), "names")
    assert (names.state, "{glow}" in names.value, "{seed}" in names.remedy) == (BROKEN, True, True)


def test_an_engine_of_which_only_the_socket_is_left_is_not_running(sdtui_home: Path) -> None:
    import socket

    from sdtui import paths

    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(paths.socket_path()))
    assert named(findings.engine(), "engine").value.startswith("not running")


@pytest.mark.parametrize(
    ("environment", "count"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, 2**24),
        ({"TERM": "xterm-256color", "COLORTERM": "24bit"}, 2**24),
        ({"TERM": "xterm-256color"}, 256),
        ({"TERM": "xterm"}, 16),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": "1"}, 2),
        ({"TERM": "dumb"}, 2),
        ({}, 2),
    ],
)
def test_colours_are_counted_from_the_environment(
    environment: Mapping[str, str], count: int
) -> None:
    assert color_count(environment) == count


def test_a_bundled_model_without_weights_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdtui.models.catalogue.is_at_hand", lambda model: False)
    found = findings.models()
    assert named(found, "model pocket").state == BROKEN
    other = next(finding for finding in found if "stable-diffusion" in finding.name)
    assert (other.state, "downloaded on first use" in other.value) == (OK, True)


def test_over_ssh_the_way_to_forward_colorterm_is_told() -> None:
    found = findings.terminal({"TERM": "xterm-256color", "SSH_CONNECTION": "a", "TMUX": "b"})
    colours = named(found, "colours")
    assert (colours.state, colours.value) == (WARN, "256 (COLORTERM=unset)")
    assert "SendEnv COLORTERM" in colours.remedy
    assert "AcceptEnv COLORTERM" in colours.remedy
    assert named(found, "link").value == "ssh and tmux"


def test_without_ssh_nothing_is_said_about_it() -> None:
    found = findings.terminal({"TERM": "xterm-256color"})
    assert "ssh" not in named(found, "colours").remedy
    assert named(found, "link").value == "local"


def test_the_probe_is_the_only_one_that_imports_torch(sdtui_home: Path) -> None:
    import subprocess

    code = (
        "import sys; from sdtui.commands import findings;"
        "[check() for check in findings.CHECKS]; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
