"""`make install` tells what is missing, and repeats nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
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

    # The tests may run under a make themselves, whose flags are not meant for this one.
    environment = {key: value for key, value in os.environ.items() if "MAKE" not in key}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
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
    assert "Python 3.11 or newer" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_an_older_python_is_refused_by_name(make: Make, tmp_path: Path) -> None:
    older = script(tmp_path / "python-of-yesterday", "exit 1")
    done = make("install", f"PYTHON={older}")
    assert done.returncode != 0
    assert f"{older} is older than Python 3.11" in done.stderr
    assert not (tmp_path / ".venv").exists()


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
