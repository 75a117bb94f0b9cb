"""The log of the engine and its worker: one file of bounded size, and the one before it."""

from __future__ import annotations

import os
import shutil
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
    """A descriptor that appends to the log, for the standard error of an engine."""
    put_aside_if_large()
    return os.open(log_path(), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def put_aside_if_large() -> None:
    """Begin the log anew when it is too long.

    It is copied and emptied, not renamed: the engine, its worker and whatever they start append to
    the same open file, and none of them has to be told.
    """
    path = log_path()
    if not path.exists() or path.stat().st_size <= LARGEST_BYTES:
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    former = os.open(former_path(), flags, 0o600)
    with path.open("rb") as log, os.fdopen(former, "wb") as copy:
        shutil.copyfileobj(log, copy)
    os.truncate(path, 0)


def is_standard_error() -> bool:
    """Whether this process logs into the file; an engine in the foreground does not."""
    try:
        return os.path.samestat(os.fstat(sys.stderr.fileno()), log_path().stat())
    except OSError:
        return False


def lines() -> Iterator[str]:
    """What there is of the log, oldest line first."""
    for path in (former_path(), log_path()):
        if path.exists():
            with path.open(encoding="utf-8", errors="replace") as file:
                yield from file
