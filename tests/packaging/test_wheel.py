"""The wheel holds everything, and what is installed from it starts anywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.terminal import Terminal

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without a network."""
    return built("wheel", tmp_path_factory.mktemp("wheel"))


def built(kind: str, folder: Path) -> Path:
    """What `python -m build` makes of the repository: a "wheel", or an "sdist"."""
    subprocess.run(
        [sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "--outdir", folder, ROOT],
        check=True,
        capture_output=True,
    )
    (archive,) = folder.iterdir()
    return archive


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of a fresh environment with the wheel in it.

    Its libraries are this environment's, so that torch is not installed once more; sdtui itself
    comes from the wheel, as an environment's own packages go before.
    """
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", wheel], check=True)
    (own,) = folder.glob("lib/python*/site-packages")
    (own / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "bin"


@pytest.fixture
def stopped_afterwards(installed: Path, sdtui_home: Path) -> Iterator[None]:
    """The engine that the interface starts ends with the test."""
    yield
    subprocess.run([installed / "sdtui", "engine", "stop", "--force"], check=True)


def files_below(folder: str) -> set[str]:
    """The files that git would put into a clone, below a folder of the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return {name for name in listed.stdout.splitlines() if (ROOT / name).is_file()}


def test_the_wheel_holds_the_package_its_styles_and_its_model(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    styles = {f"sdtui/{name}" for name in files_below("styles")}
    package = files_below("sdtui")
    assert "sdtui/styles/app.tcss" in styles
    assert "sdtui/models/pocket/unet/diffusion_pytorch_model.safetensors" in package
    assert styles | package <= names
    others = {name for name in names - styles - package if ".dist-info/" not in name}
    assert others == set()
    for notice in ("LICENSE", "sdtui/models/pocket/LICENSES.txt"):
        assert any(name.endswith(f".dist-info/licenses/{notice}") for name in names)


def test_the_wheel_s_style_sheets_are_the_repositorys(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for name in files_below("styles"):
            assert archive.read(f"sdtui/{name}") == (ROOT / name).read_bytes()


def test_the_sdist_holds_what_a_wheel_is_built_of_and_nothing_else(tmp_path: Path) -> None:
    with tarfile.open(built("sdist", tmp_path)) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers()}
    texts = {"README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml", "PKG-INFO", ".gitignore"}
    assert names == files_below("sdtui") | files_below("styles") | texts


@pytest.mark.usefixtures("stopped_afterwards")
def test_the_installed_app_paints_in_another_folder(installed: Path, tmp_path: Path) -> None:
    with Terminal([installed / "sdtui"], columns=120, lines=40, cwd=tmp_path) as terminal:
        text = terminal.wait_for("guidance")
        assert "settings" in text
        terminal.send("\x11")
        assert terminal.wait_for_exit() == 0
    assert list(tmp_path.iterdir()) == []


def test_the_installed_commands_are_the_wheels_own(installed: Path, tmp_path: Path) -> None:
    doctor = subprocess.run(
        [installed / "sdtui", "doctor", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert doctor.returncode == 0, doctor.stdout + doctor.stderr
    found = {finding["name"]: finding["value"] for finding in json.loads(doctor.stdout)}
    assert str(installed.parent) in found["sdtui"]
    assert found["model pocket"].startswith("at hand")


def test_an_editable_install_finds_the_style_sheets_of_the_checkout(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", "from sdtui.tui.stylesheets import styles_dir; print(styles_dir())"],
        cwd=tmp_path,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(found.stdout.strip()) == ROOT / "styles"
