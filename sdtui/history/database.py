"""The SQLite file that outlives everything. One process writes it: the supervisor."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sdtui import paths
from sdtui.errors import EngineError
from sdtui.history.schema import is_newest, migrate

_BUSY_SECONDS = 5.0
_CACHE_KIB = 512
"""Enough for what a queue asks; the system's own cache holds the rest, and gives it back."""

_SOUND_WAL = (3, 51, 3)
"""Earlier versions can corrupt a write-ahead log that two connections reset at once."""

_LOCAL_FILE_SYSTEMS = {"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "tmpfs", "apfs"}
"""Where the shared memory that a write-ahead log needs is known to work."""


_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class HistoryUnwritableError(EngineError):
    """A change could not be written down, and was not made."""


class HistoryHeldUpError(HistoryUnwritableError):
    """The same change may be made later, when the disk has room or nobody else has the file."""


class HistoryDamagedError(HistoryUnwritableError):
    """The file holds what no SQLite wrote. It can be neither read nor changed."""


class HistoryUnreadableError(EngineError):
    """The file cannot be read as it stands. Its owner may mend it, or say what is wrong with it."""


class Database:
    """One connection, for one thread. Every change is durable when its `transaction` ends.

    `lock` is a descriptor that keeps other processes from opening the same file to write.
    """

    def __init__(self, connection: sqlite3.Connection, lock: int | None = None) -> None:
        self.connection = connection
        self._lock = lock
        connection.row_factory = sqlite3.Row

    @classmethod
    def open(cls, path: Path | None = None) -> Database:
        """Open or make the database, by default `history.sqlite3` in `paths.data_dir()`.

        Raises `EngineError` when it is damaged, in use, or cannot be written.
        """
        path = path or usual_path()
        lock = connection = None
        try:
            paths.private_dir(path.parent)
            lock = _claim(path.with_suffix(".lock"))
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            connection.execute(f"PRAGMA journal_mode = {journal_mode(path)}")
            migrate(connection)
            return cls(connection, lock)
        except BaseException as error:
            if connection is not None:
                connection.close()
            if lock is not None:
                os.close(lock)
            if not isinstance(error, OSError | sqlite3.Error):
                raise
            raise EngineError(
                "The history cannot be opened",
                f"{path}: {error}",
                "Make the folder writable, or move the file away to begin anew.",
            ) from error

    @classmethod
    def open_to_read(cls, path: Path | None = None) -> Database:
        """The database as it stands, to be read and not changed; an empty one where there is none.

        Nobody need own it, and whoever does goes on. Raises `HistoryUnreadableError` for a schema
        of another version and for changes that a killed owner left half made, and
        `HistoryDamagedError` for a file that is none of SQLite's.
        """
        path = path or usual_path()
        address = f"{path.absolute().as_uri()}?mode=ro"
        with ExitStack() as stack:
            try:
                if not path.exists():
                    connection = sqlite3.connect(":memory:", isolation_level=None)
                    migrate(connection)
                    return cls(connection)
                connection = sqlite3.connect(
                    address, uri=True, timeout=_BUSY_SECONDS, isolation_level=None
                )
                stack.callback(connection.close)
                if is_newest(connection):
                    stack.pop_all()
                    return cls(connection)
                reason = "Its schema is of another version."
            except (OSError, sqlite3.Error) as error:
                if isinstance(error, sqlite3.DatabaseError) and _is_damage(error):
                    raise _damaged(path, error) from error
                reason = str(error)
        raise HistoryUnreadableError("The history cannot be read", f"{path}: {reason}")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of the block or nothing of it, on the disk when the block ends.

        Raises `HistoryUnwritableError` when the disk refuses: `HistoryHeldUpError` where waiting
        may help, and `HistoryDamagedError` where the file is damaged.
        """
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            yield self.connection
            self.connection.execute("COMMIT")
        except BaseException as error:
            # SQLite itself takes back what a full disk interrupts.
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.DatabaseError) and _is_damage(error):
                raise _damaged(self._file(), error) from error
            if isinstance(error, sqlite3.OperationalError):
                raise self._unwritable(error) from error
            raise

    def rows(self, query: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
        """All that a query finds. Raises `HistoryDamagedError` when the file is damaged."""
        try:
            return self.connection.execute(query, values).fetchall()
        except sqlite3.DatabaseError as error:
            if _is_damage(error):
                raise _damaged(self._file(), error) from error
            raise

    def _unwritable(self, error: sqlite3.OperationalError) -> HistoryUnwritableError:
        """Why a change was refused, and what helps."""
        title = "The history cannot be written"
        message = f"{self._file()}: {error}."
        match error.sqlite_errorcode & 0xFF:
            # A quota and a limit on files are errors of the disk to SQLite.
            case sqlite3.SQLITE_FULL | sqlite3.SQLITE_IOERR:
                remedy = "Make room on the disk of that folder."
                return HistoryHeldUpError(title, message, remedy)
            # The file is there, so it is the one beside it that finds no room.
            case sqlite3.SQLITE_CANTOPEN if Path(self._file()).exists():
                remedy = "Make room on the disk of that folder, also for one more file."
                return HistoryHeldUpError(title, message, remedy)
            case sqlite3.SQLITE_BUSY:
                remedy = "Another program has the file open to write: let it end."
                return HistoryHeldUpError(title, message, remedy)
        if error.sqlite_errorcode == sqlite3.SQLITE_READONLY_DBMOVED:
            message = f"{self._file()} was moved or removed while it was in use."
        return HistoryUnwritableError(
            title,
            message,
            "Put the file back and make it writable; or `sdtui engine stop --force`, and the next"
            " engine begins with what it finds there.",
        )

    def _file(self) -> str:
        """The path of the file, as SQLite has it."""
        row = self.connection.execute("PRAGMA database_list").fetchone()
        return str(row["file"])

    def is_sound(self) -> bool:
        """Whether SQLite finds no fault in the file."""
        (verdict,) = self.connection.execute("PRAGMA integrity_check").fetchone()
        return verdict == "ok"

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether the file is at fault, not its disk and not the query."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        # Python itself finds text that is no text, and has no code for that.
        return isinstance(error, sqlite3.OperationalError)
    return code & 0xFF in _DAMAGE


def _damaged(path: str | Path, error: sqlite3.DatabaseError) -> HistoryDamagedError:
    return HistoryDamagedError(
        "The history cannot be read",
        f"{path}: {error}.",
        "While no engine runs, move the file away to begin anew.",
    )


def usual_path() -> Path:
    """Where the engine has its database."""
    return paths.data_dir() / "history.sqlite3"


def _claim(path: Path) -> int:
    """A descriptor of the lock file, locked for as long as it is open; an old owner may be ending.

    The engine's socket has a lock of its own, but its folder may be removed under a working engine,
    and the data folder may be shared by machines. Two engines would draw the same jobs.
    """
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < deadline:
                time.sleep(0.02)
                continue
            os.close(lock)
            raise EngineError(
                "Another engine uses the history",
                f"It holds {path}, and cannot be reached from here.",
                "It ends by itself when its work is done; or end that process, then retry.",
            ) from None
        return lock


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
