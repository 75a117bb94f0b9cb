"""The SQLite file that outlives everything. One process has it open: the supervisor."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sdtui import paths
from sdtui.errors import EngineError
from sdtui.history.schema import migrate

_BUSY_SECONDS = 5.0
_SOUND_WAL = (3, 51, 3)
"""Earlier versions can corrupt a write-ahead log that two connections reset at once."""

_LOCAL_FILE_SYSTEMS = {"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "tmpfs", "apfs"}
"""Where the shared memory that a write-ahead log needs is known to work."""


class Database:
    """One connection, for one thread. Every change is durable when its `transaction` ends."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    @classmethod
    def open(cls, path: Path | None = None) -> Database:
        """Open or make the database, by default `history.sqlite3` in `paths.data_dir()`.

        Raises `EngineError` when it is damaged, locked, or cannot be written.
        """
        path = path or paths.data_dir() / "history.sqlite3"
        try:
            paths.private_dir(path.parent)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA journal_mode = {journal_mode(path)}")
            migrate(connection)
        except (OSError, sqlite3.Error) as error:
            raise EngineError(
                "The history cannot be opened",
                f"{path}: {error}",
                "Make the folder writable, or move the file away to begin anew.",
            ) from error
        return cls(connection)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of the block or nothing of it, on the disk when the block ends."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield self.connection
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def is_sound(self) -> bool:
        """Whether SQLite finds no fault in the file."""
        (verdict,) = self.connection.execute("PRAGMA integrity_check").fetchone()
        return verdict == "ok"

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()


def journal_mode(path: Path) -> str:
    """WAL where it is safe: a sound SQLite on a local file system; DELETE elsewhere."""
    sound = sqlite3.sqlite_version_info >= _SOUND_WAL
    return "WAL" if sound and file_system(path) in _LOCAL_FILE_SYSTEMS else "DELETE"


def file_system(path: Path) -> str:
    """The type of the file system that holds `path`, empty where that cannot be told."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    except OSError:
        return ""
    best, found = -1, ""
    target = os.fspath(path.resolve())
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        mount_point = before.split()[4].encode().decode("unicode_escape")
        prefix = mount_point.rstrip("/") + "/"
        if target.startswith(prefix) and len(prefix) >= best:
            best, found = len(prefix), after.split()[0]
    return found
