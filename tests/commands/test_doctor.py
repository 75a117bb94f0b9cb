"""`sdtui doctor`: findings with a state, a value and a remedy."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sdtui.commands import findings
from sdtui.commands.findings import BROKEN, OK, WARN, Finding
from sdtui.commands.terminal import color_count
from sdtui.commands.torch_probe import is_built_for
from sdtui.history.database import Database
from tests.commands.conftest import SDTUI
from tests.terminal import Terminal


def named(found: list[Finding], name: str) -> Finding:
    return next(finding for finding in found if finding.name == name)


def test_everything_is_looked_at_and_nothing_is_broken(sdtui: Callable, sdtui_home: Path) -> None:
    outcome = sdtui("doctor", "--json")
    assert outcome.code == 0, outcome.out
    found = {finding["name"]: finding for finding in json.loads(outcome.out)}
    assert {"python", "sdtui", "torch", "gpu", "memory", "terminal", "colours"} <= set(found)
    assert {"engine", "socket", "log", "history", "pictures", "models", "model pocket"} <= set(
        found
    )
    assert found["engine"]["value"].startswith("not running")
    assert str(sdtui_home) in found["socket"]["value"]
    assert found["model pocket"] == {
        "name": "model pocket",
        "state": OK,
        "value": "at hand, 128×128",
        "remedy": "",
    }
    assert not (sdtui_home / "images").exists(), "looking must not make folders of pictures"


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


def test_a_terminal_that_obeys_nothing_is_asked_nothing_and_shown_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_torch(tmp_path, monkeypatch, "cuda = Some(is_available=lambda: False)")
    with Terminal([*SDTUI, "doctor"], env={"TERM": "dumb"}) as terminal:
        assert terminal.wait_for_exit() == 0
    assert b"TERM=dumb" in terminal.output
    assert b"\x1b" not in terminal.output
    assert b"\nhalf" not in terminal.output
    assert b"graphics" not in terminal.output


def test_a_terminal_that_prints_questions_is_not_said_to_have_left_one_unanswered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_torch(tmp_path, monkeypatch, "cuda = Some(is_available=lambda: False)")
    with Terminal([*SDTUI, "doctor"], columns=130, lines=90, env={"TERM": "linux"}) as terminal:
        assert terminal.wait_for_exit() == 0
    assert b"\x1b[c" not in terminal.output
    assert "not asked: this terminal prints" in terminal.text
    assert "no answer" not in terminal.text
    assert b"\nhalf" in terminal.output


def test_the_terminals_size_is_its_own_whatever_the_shell_exports() -> None:
    told = "from sdtui.commands.findings import terminal; print(terminal()[0].value)"
    exported = {"COLUMNS": "40", "LINES": "10"}
    command = [sys.executable, "-c", told]
    with Terminal(command, columns=130, lines=90, env=exported, answers=True) as terminal:
        assert terminal.wait_for_exit() == 0
    assert "xterm-256color, 130×90" in terminal.text


def test_of_a_terminal_that_says_nothing_size_and_colours_are_told_and_it_gets_half_blocks() -> (
    None
):
    with Terminal([*SDTUI, "doctor"], columns=130, lines=90) as terminal:
        assert terminal.wait_for_exit() == 0
    assert "xterm-256color, 130×90" in terminal.text
    assert "24 bits (COLORTERM=truecolor)" in terminal.text
    assert "no answer within 1 s" in terminal.text
    assert "half (auto)" in terminal.text


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


def has_torch(
    folder: Path, monkeypatch: pytest.MonkeyPatch, body: str, cuda: str = "", hip: str = ""
) -> None:
    """Let `import torch` find a torch with this build and this `torch.cuda`."""
    (folder / "torch.py").write_text(
        "from types import SimpleNamespace as Some\n"
        "__version__, get_num_threads = '2.13.0', lambda: 2\n"
        f"version = Some(cuda={cuda or None!r}, hip={hip or None!r})\n"
        "backends = Some(mps=Some(is_available=lambda: False))\n"
        f"{body}\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(folder))


GPUS = """
class AcceleratorError(RuntimeError): pass

def memory(index):
    if index == 1:
        raise AcceleratorError('CUDA error: out of memory\\nCompile with TORCH_USE_CUDA_DSA')
    return 20_000_000_000, 24_000_000_000

def properties(index):
    major, minor = [(8, 9), (8, 6), (6, 1)][index]
    return Some(name=f'GPU {index}', major=major, minor=minor, total_memory=24_000_000_000)

cuda = Some(
    is_available=lambda: True,
    device_count=lambda: 3,
    get_arch_list=lambda: ['sm_75', 'sm_80', 'sm_86', 'sm_90a'],
    get_device_properties=properties,
    mem_get_info=memory,
)
"""


def test_a_gpu_that_is_full_or_that_torch_has_no_code_for_is_told_beside_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_torch(tmp_path, monkeypatch, GPUS, cuda="12.8")
    torch, *gpus = findings.devices()
    assert torch == Finding("torch", OK, "2.13.0, with CUDA 12.8, 2 threads")
    assert [gpu.state for gpu in gpus] == [OK, WARN, WARN]
    assert gpus[0].value == "cuda:0: GPU 0, 20.0 of 24.0 GB free"
    assert gpus[1].value == "cuda:1: GPU 1, CUDA error: out of memory"
    assert "no code for its capability 6.1, only for sm_75" in gpus[2].value
    assert all("--device cpu" in gpu.remedy for gpu in gpus[1:])


def test_code_for_a_gpu_runs_on_later_ones_of_its_kind() -> None:
    assert is_built_for((8, 9), ["sm_86"])
    assert is_built_for((12, 0), ["sm_86", "compute_90"])
    assert is_built_for((9, 0), ["sm_90a"])
    assert not is_built_for((8, 0), ["sm_86", "sm_75", "compute_90", "gfx90a"])
    assert not is_built_for((9, 1), ["sm_90a"])
    assert not is_built_for((10, 0), ["compute_90a"])


def test_of_a_torch_that_raises_the_exception_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = "raise RuntimeError('CUDA driver error\\nCompile with TORCH_USE_CUDA_DSA')"
    has_torch(tmp_path, monkeypatch, body)
    (torch,) = findings.devices()
    assert (torch.state, torch.value) == (BROKEN, "RuntimeError: CUDA driver error")


def test_a_torch_for_the_cpu_beside_a_gpus_driver_is_said_to_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_torch(tmp_path, monkeypatch, "cuda = Some(is_available=lambda: False)")
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    gpu = named(findings.devices(), "gpu")
    assert (gpu.state, "this torch is a CPU build" in gpu.remedy) == (WARN, True)


def test_a_torch_for_rocm_is_said_to_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_torch(tmp_path, monkeypatch, "cuda = Some(is_available=lambda: False)", hip="6.4.43482-0f2")
    torch = named(findings.devices(), "torch")
    assert torch.value == "2.13.0, with ROCm 6.4, 2 threads"


@pytest.mark.parametrize(
    ("variable", "value", "remedy"),
    [
        ("CUDA_VISIBLE_DEVICES", "", "unset it"),
        ("CUDA_VISIBLE_DEVICES", "7", "unset it"),
        ("CUDA_DEVICE_ORDER", "PCI_BUS_ID", "does not suit its driver"),
    ],
)
def test_the_driver_is_blamed_only_where_no_variable_may_hide_the_gpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, remedy: str
) -> None:
    has_torch(tmp_path, monkeypatch, "cuda = Some(is_available=lambda: False)", cuda="12.8")
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, value)
    gpu = named(findings.devices(), "gpu")
    assert (gpu.state, remedy in gpu.remedy) == (WARN, True)
    assert (f"under {variable}={value}" in gpu.value) == (remedy == "unset it")


def test_an_environment_that_has_lost_sdtui_does_not_blame_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\ncd / && exec {sys.executable} -S "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    (finding,) = findings.devices()
    assert (finding.name, finding.state) == ("sdtui", BROKEN)
    assert "make clean install" in finding.remedy


def test_the_history_is_named_and_looked_through(sdtui_home: Path) -> None:
    file = sdtui_home / "data" / "history.sqlite3"
    assert findings.history() == [Finding("history", OK, f"{file}, none yet")]
    with closing(Database.open()) as database, database.transaction() as connection:
        connection.executemany(
            "INSERT INTO jobs (id, request_id, params, device, dtype, state, position, queued_at)"
            " VALUES (?, ?, ?, 'auto', 'auto', 'cancelled', 1, 1.0)",
            [(str(number), str(number), "x" * 1000) for number in range(100)],
        )
    (whole,) = findings.history()
    assert (whole.state, whole.value.startswith(f"{file}, 0.")) == (OK, True)
    content = bytearray(file.read_bytes())
    content[8192:] = b"\xff" * (len(content) - 8192)
    file.write_bytes(content)
    (damaged,) = findings.history()
    assert (damaged.state, str(file) in damaged.value) == (BROKEN, True)
    file.write_text("not a database, and long enough to be read as one " * 20)
    (foreign,) = findings.history()
    assert (foreign.state, str(file) in foreign.value) == (BROKEN, True)
    assert "move the file away" in foreign.remedy


def test_an_engine_that_sees_other_gpus_is_told(
    fake_engine: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told() -> list[str]:
        return [f.value for f in findings.engine() if f.name == "engine" and f.state == WARN]

    assert told() == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert told() == ["started with no CUDA_VISIBLE_DEVICES (here CUDA_VISIBLE_DEVICES=1)"]


@pytest.fixture
def logind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`logind(program, user, scope)`: what loginctl is, who asks it, and where the engine is."""
    read_text = Path.read_text
    loginctl, its_groups = tmp_path / "loginctl", tmp_path / "groups"

    def groups(path: Path, *of: Any, **named: Any) -> str:
        return read_text(its_groups if path.name == "cgroup" else path, *of, **named)

    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(Path, "read_text", groups)

    def be(program: str, user: str = "ann", scope: str = "session-3.scope") -> None:
        its_groups.write_text(f"0::/user.slice/user-1000.slice/{scope}\n")
        loginctl.write_text(f"#!/bin/sh\n{program}\n")
        loginctl.chmod(0o755)
        monkeypatch.setattr("pwd.getpwuid", lambda _: SimpleNamespace(pw_name=user))

    return be


def test_an_engine_that_logind_ends_at_logout_is_told(
    fake_engine: object, logind: Callable[..., None]
) -> None:
    for user, settings, count in (
        ("ann", {"KillUserProcesses": "yes"}, 1),
        ("ann", {"KillUserProcesses": "no"}, 0),
        ("ann", {"KillUserProcesses": "yes", "KillExcludeUsers": "bob ann"}, 0),
        ("ann", {"KillUserProcesses": "yes", "KillExcludeUsers": "ann", "KillOnlyUsers": "ann"}, 0),
        ("ann", {"KillUserProcesses": "yes", "KillOnlyUsers": "bob"}, 0),
        ("ann", {"KillUserProcesses": "no", "KillOnlyUsers": "bob ann"}, 1),
        ("root", {"KillUserProcesses": "yes"}, 0),
        ("root", {"KillUserProcesses": "yes", "KillExcludeUsers": "bob"}, 1),
    ):
        # It tells only what it is asked for.
        answers = "".join(
            f"[ $asked = --property={name} ] && echo '{name}={value}'\n"
            for name, value in settings.items()
        )
        logind(f'for asked in "$@"; do\n{answers}done', user)
        told = [finding for finding in findings.engine() if finding.state == WARN]
        assert len(told) == count, (user, settings)
        assert all("systemd-run --scope --user sdtui" in finding.remedy for finding in told)


def test_an_engine_outside_a_login_session_outlives_the_logout(
    fake_engine: object, logind: Callable[..., None]
) -> None:
    logind("echo KillUserProcesses=yes", scope="run-u1.scope")
    assert all(finding.state == OK for finding in findings.engine())


def test_a_logind_that_does_not_answer_is_not_waited_for(
    fake_engine: object, logind: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sdtui.commands.engine_findings._LOGIND_SECONDS", 0.1)
    logind("echo KillUserProcesses=yes; exec sleep 60")
    assert all(finding.state == OK for finding in findings.engine())


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


def test_a_home_that_leads_nowhere_is_broken_in_all_that_needs_one_and_the_rest_is_told(
    sdtui: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    has_torch(tmp_path, monkeypatch, "cuda = Some(is_available=lambda: False)")
    monkeypatch.setenv("SDTUI_HOME", "~nosuchuser/x")
    outcome = sdtui("doctor", "--json")
    broken = [finding for finding in json.loads(outcome.out) if finding["state"] == BROKEN]
    assert outcome.code == 1
    assert [finding["name"] for finding in broken] == ["engine", "history", "folders", "models"]
    assert all("SDTUI_HOME: '~nosuchuser/x'" in finding["value"] for finding in broken)


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


def test_a_renderer_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDTUI_RENDERER", "ReGIS")
    renderer = named(findings.terminal({"TERM": "xterm-256color"}), "renderer")
    assert (renderer.state, "'ReGIS' is no renderer" in renderer.value) == (WARN, True)
    assert "half" in renderer.remedy


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


def test_the_probe_is_the_only_one_that_imports_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import subprocess

    has_torch(tmp_path, monkeypatch, "cuda = Some(is_available=lambda: False)")
    code = (
        "import sys; from sdtui.commands import findings;"
        "found = [finding for check in findings.CHECKS for finding in check()];"
        "print([finding.value for finding in found if finding.name == 'torch']);"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    told, is_imported = done.stdout.splitlines()
    assert "2.13.0" in told
    assert is_imported == "False"
