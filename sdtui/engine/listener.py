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
from pathlib import Path

from sdtui import paths
from sdtui.errors import EngineError

_LOCK_SECONDS = 10.0
"""How long a new engine waits for one that is ending."""


class AnotherEngineServesError(EngineError):
    """An engine answers on the socket already."""


@contextlib.contextmanager
def listening() -> Iterator[socket.socket]:
    """The engine's listening socket, mode 0600 in a 0700 folder, removed at the end.

    A lock in the same folder is held for as long as the engine lives. Only under it is a socket
    that a dead engine left behind removed, so two engines that start at once do not take the
    socket from each other: `AnotherEngineServesError` tells the second one to leave.
    """
    path = paths.socket_path()
    lock = os.open(path.with_name("engine.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _claim(lock, path)
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with listener:
            former = os.umask(0o177)
            try:
                listener.bind(os.fspath(path))
            finally:
                os.umask(former)
            listener.listen(64)
            listener.setblocking(False)
            try:
                yield listener
            finally:
                path.unlink(missing_ok=True)
    finally:
        os.close(lock)


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
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    _pid, uid, _gid = struct.unpack("=iII", credentials)
    return uid


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
