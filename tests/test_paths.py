"""Where things live, and who may see them."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdtui import paths
from sdtui.errors import EngineError, ParameterError


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


def test_a_home_of_nobody_and_one_in_a_folder_that_is_gone_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for home, reason in (("~nosuchuser/x", "user who is not known"), ("here", "working folder")):
        monkeypatch.setenv("SDTUI_HOME", home)
        with pytest.raises(ParameterError, match=reason) as caught:
            paths.socket_path()
        assert (caught.value.field, home in caught.value.title) == ("SDTUI_HOME", True)
        assert "whole path" in caught.value.remedy


def test_another_process_finds_the_same_places_from_another_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SDTUI_HOME", "here")
    for name, value in {
        "HF_HOME": "hub",
        "HF_HUB_CACHE": "./cache",
        "HF_XET_CACHE": "/big/xet",
        "HF_TOKEN_PATH": "~/token",
        "XDG_CACHE_HOME": "",
        "TMPDIR": "../tmp",
    }.items():
        monkeypatch.setenv(name, value)
    environment = paths.environment_from_anywhere()
    assert environment == os.environ | {
        "SDTUI_HOME": str(tmp_path / "here"),
        "HF_HOME": str(tmp_path / "hub"),
        "HF_HUB_CACHE": str(tmp_path / "cache"),
        "TMPDIR": str(tmp_path / "../tmp"),
    }


def test_without_sdtui_home_none_is_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SDTUI_HOME")
    assert "SDTUI_HOME" not in paths.environment_from_anywhere()


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


@pytest.mark.parametrize("below", [".", "inner", "inner/most"])
def test_a_file_in_a_folders_place_is_named(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EngineError, match="cannot be used") as caught:
        paths.private_dir(tmp_path / "file" / below)
    assert str(tmp_path / "file" / below) in caught.value.message
    assert "SDTUI_HOME" in caught.value.remedy


def test_a_folder_that_cannot_be_closed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    tmp_path.chmod(0o755)
    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(EngineError, match="cannot be used") as caught:
        paths.private_dir(tmp_path)
    assert caught.value.message == f"{tmp_path}: Operation not permitted."


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(length=st.integers(min_value=1, max_value=230))
def test_the_socket_fits_however_deep_the_home_is(
    sdtui_home: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    home = sdtui_home / ("h" * min(length, 200)) / ("h" * max(length - 200, 1))
    monkeypatch.setenv("SDTUI_HOME", str(home))
    socket = paths.socket_path()
    assert len(os.fsencode(socket)) < 104
    assert mode(socket.parent) == 0o700
    socket.parent.rmdir()


def test_each_deep_home_has_a_socket_of_its_own_from_every_login(
    sdtui_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sockets = []
    for name in ("a" * 150, "b" * 150):
        monkeypatch.setenv("SDTUI_HOME", str(sdtui_home / name))
        for temporary in ("x", "y" * 100):
            monkeypatch.setattr(tempfile, "tempdir", str(sdtui_home / temporary))
            sockets.append(paths.socket_path())
    for folder in {socket.parent for socket in sockets}:
        folder.rmdir()
    assert sockets[0] == sockets[1] != sockets[2] == sockets[3]
