"""Hashes of weights: learned beside the work, remembered for as long as the file stays as it is."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest

from sdtui import paths
from sdtui.models import weights
from sdtui.models.weights import WeightsHash
from tests.engine.processes import wait_for


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"weights" * 1000)
    return path


def learned(file: Path) -> str:
    found = WeightsHash(file)
    wait_for(lambda: found.sha256)
    return found.sha256


def test_it_is_the_files_sha256(file: Path) -> None:
    assert learned(file) == hashlib.sha256(file.read_bytes()).hexdigest()


def test_it_is_read_once_and_known_at_once_from_then_on(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = learned(file)
    record = paths.data_dir() / "weights.json"
    wait_for(record.exists)
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    monkeypatch.setattr(weights.threading, "Thread", None)
    assert WeightsHash(file).sha256 == first
    link = file.with_name("link")
    link.symlink_to(file)
    assert WeightsHash(link).sha256 == first


def test_a_file_that_has_changed_is_read_again(file: Path) -> None:
    first = learned(file)
    wait_for((paths.data_dir() / "weights.json").exists)
    status = file.stat()
    file.write_bytes(b"another" * 1000)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert learned(file) != first


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"a": '])
def test_a_damaged_record_is_written_anew(file: Path, content: bytes) -> None:
    record = paths.private_dir(paths.data_dir()) / "weights.json"
    record.write_bytes(content)
    first = learned(file)
    wait_for(lambda: first.encode() in record.read_bytes())
    assert [path.name for path in paths.data_dir().iterdir()] == ["weights.json"]
