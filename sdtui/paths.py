"""Where things live. `SDTUI_HOME` gathers everything under one folder."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import platformdirs

from sdtui.errors import EngineError

PICTURE_NAMES_VARIABLE = "SDTUI_PICTURE_NAMES"

_APP = "sdtui"
_LONGEST_SOCKET_PATH = 100
"""A Unix socket's path holds 108 bytes on Linux and 104 on macOS."""


def _home() -> Path | None:
    home = os.environ.get("SDTUI_HOME")
    return Path(home).expanduser().absolute() if home else None


def data_dir() -> Path:
    """What must last: the database."""
    home = _home()
    return home / "data" if home else Path(platformdirs.user_data_dir(_APP))


def log_dir() -> Path:
    """The engine's and the worker's logs."""
    home = _home()
    return home / "logs" if home else Path(platformdirs.user_log_dir(_APP))


def images_dir() -> Path:
    """Saved pictures, in folders below it."""
    home = _home()
    return home / "images" if home else Path(platformdirs.user_pictures_dir()) / _APP


def picture_names() -> str:
    """What pictures are called below `images_dir`; `sdtui.history.naming` reads it."""
    return os.environ.get(PICTURE_NAMES_VARIABLE) or "{date}/{number}-{prompt}-{seed}"


def models_dir() -> Path:
    """Models that the user put there by hand, each a folder in diffusers layout."""
    home = _home()
    return home / "models" if home else Path(platformdirs.user_data_dir(_APP)) / "models"


def runtime_dir() -> Path:
    """The engine's socket and lock, private to the user; it is made with mode 0700.

    It is not in $XDG_RUNTIME_DIR, which systemd removes with the last login session: an engine
    that works on while nobody is logged in must be found again.
    """
    home = _home()
    directory = home / "run" if home else Path("/tmp") / f"{_APP}-{os.getuid()}"
    if len(os.fsencode(directory / "engine.sock")) > _LONGEST_SOCKET_PATH:
        import hashlib

        name = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
        directory = Path(tempfile.gettempdir()) / f"{_APP}-{os.getuid()}-{name}"
    return private_dir(directory)


def socket_path() -> Path:
    """The Unix socket on which the engine listens."""
    return runtime_dir() / "engine.sock"


def private_dir(directory: Path) -> Path:
    """`directory`, made with mode 0700 if need be, and refused if it belongs to someone else."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = directory.lstat()
    if directory.is_symlink() or status.st_uid != os.getuid():
        raise EngineError(
            "The engine's folder is not yours",
            f"{directory} belongs to another user or is a link.",
            "Remove it, or set SDTUI_HOME to a folder of your own.",
        )
    if status.st_mode & 0o077:
        directory.chmod(0o700)
    return directory
