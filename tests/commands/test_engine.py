"""`sdtui engine`: how it is, its end, and its last words."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sdtui.engine import launch
from tests.engine.processes import FAKE_ENGINE


def test_the_status_of_no_engine_is_said_with_an_exit_code(sdtui: Callable) -> None:
    outcome = sdtui("engine", "status")
    assert (outcome.code, outcome.out) == (5, "")
    assert "No engine runs" in outcome.err


def test_stopping_no_engine_is_no_error(sdtui: Callable) -> None:
    outcome = sdtui("engine", "stop")
    assert outcome.code == 0
    assert "No engine runs" in outcome.err


@pytest.mark.parametrize("command", [("engine", "status"), ("engine", "stop"), ("queue",)])
def test_an_engine_that_is_stopped_is_said_with_an_exit_code(
    sdtui: Callable,
    fake_engine: subprocess.Popen[bytes],
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
) -> None:
    monkeypatch.setattr("sdtui.engine.first_answer._ANSWER_SECONDS", 0.2)
    fake_engine.send_signal(signal.SIGSTOP)
    outcome = sdtui(*command)
    assert (outcome.code, outcome.out) == (5, "")
    assert "The engine does not answer" in outcome.err
    assert f"kill -CONT {fake_engine.pid}" in outcome.err


@pytest.mark.parametrize("command", [("engine", "status"), ("engine", "logs"), ("queue",)])
def test_a_home_that_cannot_be_used_is_said_with_an_exit_code(
    sdtui: Callable, sdtui_home: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    (sdtui_home / "file").touch()
    monkeypatch.setenv("SDTUI_HOME", str(sdtui_home / "file"))
    outcome = sdtui(*command)
    assert (outcome.code, outcome.out) == (5, "")
    assert "A folder of sdtui cannot be used" in outcome.err
    assert str(sdtui_home / "file") in outcome.err


def test_the_log_is_shown_harmlessly_and_only_its_end(sdtui: Callable, sdtui_home: Path) -> None:
    log = sdtui_home / "logs" / "engine.log"
    log.parent.mkdir()
    log.write_text("first\nsecond \x1b[2J\nthird [/]\n")
    assert sdtui("engine", "logs", "-n", "2").out == "second ␛[2J\nthird [/]\n"


def test_a_log_that_is_not_there_yet_is_said(sdtui: Callable) -> None:
    outcome = sdtui("engine", "logs")
    assert (outcome.code, outcome.out) == (0, "")
    assert "no log yet" in outcome.err


def test_an_engine_tells_its_state_and_stops_when_asked(
    sdtui: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "ENGINE_COMMAND", FAKE_ENGINE)
    assert sdtui("generate", "x", "--steps", "1", "--width", "64", "--height", "64").code == 0
    status = sdtui("engine", "status")
    assert status.code == 0
    for line in ("state         idle", "model         pocket", "waiting jobs  0"):
        assert line in status.out
    assert "worker" in sdtui("engine", "logs").out
    assert "has ended" in sdtui("engine", "stop").err
    assert sdtui("engine", "status").code == 5
