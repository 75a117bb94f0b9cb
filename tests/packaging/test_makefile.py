"""`make install` tells what is missing, and repeats nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

Make = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """`make(*arguments)` in a folder with what an installation is decided by."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        # The tests may run under a make themselves, whose flags are not meant for this one.
        environment = {key: value for key, value in os.environ.items() if "MAKE" not in key}
        return subprocess.run(
            ["make", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def script(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def test_without_a_python_that_is_new_enough_it_says_so(make: Make, tmp_path: Path) -> None:
    done = make("install", "PYTHON=")
    assert done.returncode != 0
    assert "Python 3.11 to 3.14" in done.stderr
    assert not (tmp_path / ".venv").exists()


def python_of(path: Path, *version: int, body: str = "") -> Path:
    """A Python that runs one-liners and takes itself for one of this version."""
    posing = f"import sys; sys.version_info = {version}; exec(sys.argv[1])"
    return script(path, f'{body}\ntest "$1" = -c && exec {sys.executable} -c "{posing}" "$2"\n:')


@pytest.mark.parametrize("version", [(3, 10, 9), (3, 14, 1), (3, 15, 0)])
def test_a_python_that_does_not_suit_is_refused_by_name(
    make: Make, tmp_path: Path, version: tuple[int, ...]
) -> None:
    other = python_of(tmp_path / "another-python", *version)
    done = make("install", f"PYTHON={other}")
    assert done.returncode != 0
    assert f"{other} is no Python from 3.11 to 3.14" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_the_first_python_that_suits_is_taken(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python_of(tmp_path / "python3", 3, 15, 0)
    python_of(tmp_path / "python3.14", 3, 14, 1)
    python_of(tmp_path / "python3.13", 3, 13, 5)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    done = make("install")
    assert "Making .venv with python3.13." in done.stdout


def test_a_python_without_venv_is_told_from_one_that_works(make: Make, tmp_path: Path) -> None:
    bare = script(tmp_path / "bare-python", 'test "$1" = -c')
    done = make("install", f"PYTHON={bare}")
    assert done.returncode != 0
    assert "python3-venv" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_failed_install_leaves_no_stamp_and_is_tried_again(make: Make, tmp_path: Path) -> None:
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    script(python, 'echo "$@" >> calls; case "$*" in *install*) exit 1;; esac')
    for attempt in (1, 2):
        assert make("install").returncode != 0
        assert (tmp_path / "calls").read_text().count("install") == attempt
    assert not (tmp_path / ".venv" / ".installed").exists()


def test_nothing_is_installed_twice_until_the_dependencies_change(
    make: Make, tmp_path: Path
) -> None:
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    script(python, 'case "$*" in *install*) echo "$@" >> calls;; esac')
    calls = tmp_path / "calls"
    assert make("install").returncode == 0
    assert make("install").returncode == 0
    assert len(calls.read_text().splitlines()) == 1
    assert "[dev]" not in calls.read_text()

    assert make("run").returncode == 0
    assert len(calls.read_text().splitlines()) == 1

    assert make("test").returncode == 0
    assert "[dev]" in calls.read_text().splitlines()[-1]
    assert make("test").returncode == 0
    assert len(calls.read_text().splitlines()) == 2

    later = (tmp_path / ".venv" / ".installed-dev").stat().st_mtime + 5
    os.utime(tmp_path / "pyproject.toml", (later, later))
    assert make("install").returncode == 0
    assert len(calls.read_text().splitlines()) == 3


def test_a_venv_that_was_moved_or_whose_python_is_another_is_made_anew(
    make: Make, tmp_path: Path
) -> None:
    def python(*version: int) -> Path:
        body = 'case "$*" in *venv*) mkdir -p .venv/bin; rm -f .venv/.installed*; '
        body += 'cp "$0" .venv/bin/python; exit;; *install*) echo "$@" >> calls;; esac'
        return python_of(tmp_path / "py", *version, body=body)

    def installs() -> str:
        done = make("install", "PYTHON=./py")
        assert done.returncode == 0, done.stderr
        return done.stdout.partition("\n")[0]

    python(3, 11, 4)
    assert installs() == "Making .venv with ./py."
    assert "Nothing to be done" in installs()

    stamp = tmp_path / ".venv" / ".installed"
    elsewhere = stamp.read_text().replace(str(tmp_path), "/elsewhere")
    stamp.write_text(elsewhere)
    assert make("install", "PYTHON=").returncode != 0
    assert installs() == "Making .venv with ./py."
    assert "Nothing to be done" in installs()

    upgraded = python(3, 12, 0)
    shutil.copy(upgraded, tmp_path / ".venv" / "bin" / "python")
    assert installs() == "Making .venv with ./py."
    assert "Nothing to be done" in installs()
    assert len((tmp_path / "calls").read_text().splitlines()) == 3


def test_what_a_first_user_is_told_fits_80_columns(make: Make, tmp_path: Path) -> None:
    # A Python whose environments hold itself, and whose pip has nothing to do.
    script(
        tmp_path / "py",
        'case "$*" in *venv*) mkdir -p .venv/bin && cp "$0" .venv/bin/python;; esac',
    )
    for done in (make("help"), make("install", "PYTHON=./py")):
        assert done.returncode == 0, done.stderr
        assert max(map(len, done.stdout.splitlines())) <= 80
    assert "Later runs start at once." in done.stdout
