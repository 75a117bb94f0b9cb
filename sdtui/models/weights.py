"""The sha256 of weights files, by which other tools know models: read once, then remembered."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
import sys
import threading
from pathlib import Path

from sdtui import paths
from sdtui.errors import EngineError

log = logging.getLogger(__name__)

_LOWEST_PRIORITY = 19


class WeightsHash:
    """The sha256 of one file as hexadecimal digits, once it is known.

    It is remembered in `paths.data_dir()` for a file of this path, size and time of change, and
    otherwise read by a thread of the lowest priority: pictures do not wait for it.
    """

    def __init__(self, file: Path) -> None:
        self._file = file.resolve()
        status = self._file.stat()
        self._key = f"{status.st_size} {status.st_mtime_ns} {self._file}"
        self.sha256 = _remembered().get(self._key, "")
        if not self.sha256:
            threading.Thread(target=self._learn, name="weights hash", daemon=True).start()

    def _learn(self) -> None:
        if sys.platform == "linux":
            # Priorities are each thread's own there, and the whole process's elsewhere.
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST_PRIORITY)
        try:
            with self._file.open("rb") as file:
                self.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            _remember(self._key, self.sha256)
        except (OSError, EngineError):
            log.exception("the hash of %s could not be learned, or not be remembered", self._file)


def _record() -> Path:
    return paths.data_dir() / "weights.json"


def _remembered() -> dict[str, str]:
    """What was learned before; nothing where that cannot be read, as it can be learned again."""
    try:
        content = json.loads(_record().read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _remember(key: str, sha256: str) -> None:
    """One worker writes at a time; what another one loses is learned again."""
    directory = paths.private_dir(_record().parent)
    content = json.dumps({**_remembered(), key: sha256}, indent=1)
    temporary = directory / f".{secrets.token_hex(8)}.part"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(_record())
    finally:
        temporary.unlink(missing_ok=True)
