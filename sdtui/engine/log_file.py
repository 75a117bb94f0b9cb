"""The log of the engine and its worker: one file of bounded size, and the one before it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from sdtui import paths

LARGEST_BYTES = 4 * 1024 * 1024
"""A log that is longer is put aside; the one that was put aside before is gone then."""


def log_path() -> Path:
    """The log of the engine and of its worker, mode 0600."""
    return paths.private_dir(paths.log_dir()) / "engine.log"


def former_path() -> Path:
    """The log that was put aside."""
    return log_path().with_name("engine.log.1")


def open_log() -> int:
    """A descriptor that appends to the log, for the standard error of an engine.

    Raises `EngineError` when there can be no log.
    """
    with paths.in_own_folder(log_path()):
        put_aside_if_large()
        return _append()


def put_aside_if_large() -> None:
    """Put the log aside when it is too long.

    It is renamed, so that no line is lost: who has it open appends to it until `reopen`.
    """
    path = log_path()
    if path.exists() and path.stat().st_size > LARGEST_BYTES:
        path.replace(former_path())


def reopen() -> bool:
    """Let standard error go on in a new log if it is the one that was put aside; whether it was."""
    if not _is_standard_error(former_path()):
        return False
    log = _append()
    try:
        os.dup2(log, sys.stderr.fileno())
    finally:
        os.close(log)
    return True


def is_standard_error() -> bool:
    """Whether this process logs into the file; an engine in the foreground does not."""
    return any(map(_is_standard_error, (log_path(), former_path())))


def _append() -> int:
    return os.open(log_path(), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _is_standard_error(path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(sys.stderr.fileno()), path.stat())
    except OSError:
        return False


def lines() -> Iterator[str]:
    """What there is of the log, oldest line first."""
    for path in (former_path(), log_path()):
        if path.exists():
            with path.open(encoding="utf-8", errors="replace") as file:
                yield from file
