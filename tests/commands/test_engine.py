"""`sdtui engine`: how it is, its end, and its last words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def test_the_status_of_no_engine_is_said_with_an_exit_code(sdtui: Callable) -> None:
    outcome = sdtui("engine", "status")
    assert (outcome.code, outcome.out) == (5, "")
    assert "No engine runs" in outcome.err


def test_stopping_no_engine_is_no_error(sdtui: Callable) -> None:
    outcome = sdtui("engine", "stop")
    assert outcome.code == 0
    assert "No engine runs" in outcome.err


def test_the_log_is_shown_harmlessly_and_only_its_end(sdtui: Callable, sdtui_home: Path) -> None:
    log = sdtui_home / "logs" / "engine.log"
    log.parent.mkdir()
    log.write_text("first\nsecond \x1b[2J\nthird [/]\n")
    assert sdtui("engine", "logs", "-n", "2").out == "second ␛[2J\nthird [/]\n"


def test_a_log_that_is_not_there_yet_is_said(sdtui: Callable) -> None:
    outcome = sdtui("engine", "logs")
    assert (outcome.code, outcome.out) == (0, "")
    assert "no log yet" in outcome.err


def test_an_engine_tells_its_state_and_stops_when_asked(shell: Callable) -> None:
    assert shell("generate", "x", "--steps", "1", "--width", "64", "--height", "64").code == 0
    status = shell("engine", "status")
    assert status.code == 0
    for line in ("state         idle", "model         pocket", "waiting jobs  0"):
        assert line in status.out
    assert "worker" in shell("engine", "logs").out
    assert "has ended" in shell("engine", "stop").err
    assert shell("engine", "status").code == 5
