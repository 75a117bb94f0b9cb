"""Where things live, and who may see them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdtui import paths
from sdtui.errors import EngineError


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_sdtui_home_gathers_everything(sdtui_home: Path) -> None:
    places = (
        paths.data_dir(),
        paths.log_dir(),
        paths.images_dir(),
        paths.models_dir(),
        paths.runtime_dir(),
        paths.socket_path(),
    )
    assert len(set(places)) == len(places)
    assert all(place.is_relative_to(sdtui_home) for place in places)


def test_without_sdtui_home_the_platform_decides(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SDTUI_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    for place in (paths.data_dir(), paths.log_dir(), paths.images_dir(), paths.models_dir()):
        assert "sdtui" in place.parts


def test_a_relative_home_means_the_same_after_a_change_of_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SDTUI_HOME", "here")
    assert paths.images_dir() == tmp_path / "here" / "images"


def test_the_sockets_folder_is_private(sdtui_home: Path) -> None:
    assert mode(paths.runtime_dir()) == 0o700


def test_a_folder_that_others_may_enter_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o755)
    assert mode(paths.private_dir(folder)) == 0o700


def test_a_link_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EngineError, match="not yours"):
        paths.private_dir(link)


def test_a_folder_of_someone_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    someone_else = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: someone_else)
    with pytest.raises(EngineError, match="not yours"):
        paths.private_dir(folder)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(length=st.integers(min_value=1, max_value=230))
def test_the_socket_fits_however_deep_the_home_is(
    sdtui_home: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    home = sdtui_home / ("h" * min(length, 200)) / ("h" * max(length - 200, 1))
    monkeypatch.setenv("SDTUI_HOME", str(home))
    monkeypatch.setattr(tempfile, "tempdir", str(sdtui_home))
    socket = paths.socket_path()
    assert len(os.fsencode(socket)) < 104
    assert mode(socket.parent) == 0o700


def test_two_deep_homes_have_two_sockets(sdtui_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(sdtui_home))
    sockets = set()
    for name in ("a" * 150, "b" * 150):
        monkeypatch.setenv("SDTUI_HOME", str(sdtui_home / name))
        sockets.add(paths.socket_path())
    assert len(sockets) == 2
