"""What README.md says is true."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from sdtui import errors, paths
from sdtui.cli import main
from sdtui.engine.patience import Patience
from sdtui.tui.actions import ACTIONS

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
_KEY_NAMES = {"esc": "escape"}


def test_every_file_that_it_points_to_is_there() -> None:
    linked = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert "docs/screen.svg" in linked
    assert [link for link in linked if not (ROOT / link).exists()] == []


def test_every_option_that_it_names_is_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    commands = ("", "generate", "doctor", "history", "queue", "engine stop", "engine logs")
    for command in map(str.split, commands):
        main([*command, "--help"])
    known = set(re.findall(r"--[a-z][a-z-]*", capsys.readouterr().out))
    ours = README.replace("systemd-run --scope --user", "")
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", ours))
    assert len(named) > 10
    assert named <= known


def test_every_make_target_that_it_names_is_there() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make (\w+)", README, flags=re.MULTILINE))
    assert {"run", "test", "check"} <= named <= targets


def test_its_keys_are_the_interfaces() -> None:
    table = README.partition("## Keys")[2].partition("## ")[0]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("|")][2:]
    named = {
        _KEY_NAMES.get(key, key)
        for row in rows
        for key in (written.strip().lower() for written in row.split(","))
    }
    typing = {"shift+enter", "ctrl+j", "ctrl+/", "ctrl+y"}
    bound = {key for action in ACTIONS for key in action.keys}
    assert named - typing <= bound
    assert [action.name for action in ACTIONS if not named & set(action.keys)] == []


def test_the_model_knows_as_many_things_as_it_says() -> None:
    known = json.loads((ROOT / "sdtui/models/pocket/things.json").read_text(encoding="utf-8"))
    said = README.partition("## What the bundled model knows")[2].partition("## ")[0]
    assert f"{len(known['things'])} of them" in said
    said = " ".join(said.split())
    examples = said.partition("such as ")[2].partition(".")[0]
    for thing in re.findall(r"an? ([\w ]+)", examples):
        assert thing in known["things"]
    for background in known["backgrounds"]:
        assert background in said


def test_its_exit_codes_are_those_of_the_errors() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    for kind in kinds:
        assert f"| {kind.exit_code} |" in README


def test_the_engine_ends_when_it_says() -> None:
    patience, said = Patience(), " ".join(README.split())
    assert f"memory after {patience.idle_unload / 60:g} minutes" in said
    assert f"ends by itself after {patience.idle_exit / 60:g} minutes" in said


def test_its_places_are_those_of_the_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in [name for name in os.environ if name.startswith(("XDG_", "SDTUI_"))]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("HOME", str(tmp_path))
    rows = README.partition("with `SDTUI_HOME` |")[2].partition("\n\n")[0].splitlines()[2:]
    written = [row.replace("`", "").split("|") for row in rows]
    usual = [row[2].strip() for row in written]
    gathered = [row[3].strip() for row in written]

    def places() -> list[Path]:
        return [
            paths.images_dir(),
            paths.data_dir(),
            paths.models_dir(),
            paths.log_dir(),
            paths.runtime_dir(),
        ]

    named = [place.replace("~", str(tmp_path)).replace("UID", str(os.getuid())) for place in usual]
    assert list(map(Path, named)) == places()
    monkeypatch.setenv("SDTUI_HOME", str(tmp_path))
    assert [tmp_path / place for place in gathered] == places()
    monkeypatch.delenv("SDTUI_HOME")
    monkeypatch.setenv("XDG_PICTURES_DIR", str(tmp_path / "elsewhere"))
    assert "`XDG_PICTURES_DIR`" in README
    assert paths.images_dir() == tmp_path / "elsewhere" / "sdtui"
