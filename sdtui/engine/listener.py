"""The one socket of an engine: claimed under a lock, private to the user, never on a network."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sdtui import paths
from sdtui.errors import EngineError

_LOCK_SECONDS = 15.0
"""How long a new engine waits for one that is ending: longer than a worker that was killed and does
not end, and then clients that do not read, can hold that one up."""


class AnotherEngineServesError(EngineError):
    """An engine answers on the socket already."""


@dataclass(frozen=True)
class Listener:
    """A listening socket and the file by which clients find it."""

    socket: socket.socket
    path: Path
    inode: int

    @property
    def can_be_found(self) -> bool:
        """Whether the file is still there and still leads here."""
        try:
            return self.path.stat().st_ino == self.inode
        except FileNotFoundError:
            return False


@contextlib.contextmanager
def only_engine() -> Iterator[None]:
    """A lock beside the socket that an engine holds for as long as it lives.

    Only under it is a socket that a dead engine left behind removed, so two engines that start at
    once do not take the socket from each other: `AnotherEngineServesError` tells the second one
    to leave.
    """
    path = paths.socket_path()
    lock = os.open(path.with_name("engine.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _claim(lock, path)
        yield
    finally:
        os.close(lock)


@contextlib.contextmanager
def listening() -> Iterator[Listener]:
    """The socket of the `only_engine`, mode 0600 in a 0700 folder, removed at the end."""
    path = paths.socket_path()
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as bound:
        former = os.umask(0o177)
        try:
            bound.bind(os.fspath(path))
        finally:
            os.umask(former)
        bound.listen(64)
        bound.setblocking(False)
        listener = Listener(bound, path, path.stat().st_ino)
        try:
            yield listener
        finally:
            # Whoever removed the folder, and the lock with it, may have another engine by now.
            if listener.can_be_found:
                path.unlink()


def answers(path: Path) -> bool:
    """Whether an engine accepts connections at `path`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(os.fspath(path))
        except OSError:
            return False
    return True


def peer_uid(connection: socket.socket) -> int:
    """The user id of the process at the other end of a Unix socket, as the kernel knows it."""
    if sys.platform == "darwin":
        local_peercred, sol_local = 1, 0
        _version, uid = struct.unpack_from(
            "=II", connection.getsockopt(sol_local, local_peercred, 76)
        )
        return uid
    _pid, uid, _gid = _credentials(connection)
    return uid


def peer_pid(connection: socket.socket) -> int:
    """The process at the other end of a Unix socket, as the kernel knows it."""
    if sys.platform == "darwin":
        local_peerpid, sol_local = 2, 0
        return connection.getsockopt(sol_local, local_peerpid)
    pid, _uid, _gid = _credentials(connection)
    return pid


def _credentials(connection: socket.socket) -> tuple[int, int, int]:
    """Process, user and group id of the other end, on Linux."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    pid, uid, gid = struct.unpack("=iII", credentials)
    return pid, uid, gid


def _claim(lock: int, path: Path) -> None:
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if answers(path):
                raise AnotherEngineServesError(
                    "An engine runs already", f"It answers at {path}."
                ) from None
            if time.monotonic() > deadline:
                raise EngineError(
                    "Another engine does not answer and does not end",
                    f"It holds the lock beside {path}.",
                    "`sdtui engine logs` may say why; end that process, then retry.",
                ) from None
            time.sleep(0.02)
        else:
            return
