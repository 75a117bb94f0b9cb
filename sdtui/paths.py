"""Where things live. `SDTUI_HOME` gathers everything under one folder.

All that asks for a place raises `ParameterError` where `SDTUI_HOME` names none.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from sdtui.errors import EngineError, ParameterError

PICTURE_NAMES_VARIABLE = "SDTUI_PICTURE_NAMES"

_APP = "sdtui"
_HOME_VARIABLE = "SDTUI_HOME"
_LONGEST_SOCKET_PATH = 100
"""A Unix socket's path holds 108 bytes on Linux and 104 on macOS."""

_OTHERS_VARIABLES = (
    "HF_HOME",
    "HF_HUB_CACHE",
    "HUGGINGFACE_HUB_CACHE",
    "HF_TOKEN_PATH",
    "HF_XET_CACHE",
    "XDG_CACHE_HOME",
    "TMPDIR",
    "TEMP",
    "TMP",
)
"""By which the hub's library and `tempfile` are told where things live. What platformdirs reads is
not among them: it passes over a path that is relative."""


def _home() -> Path | None:
    home = os.environ.get(_HOME_VARIABLE)
    if not home:
        return None
    try:
        return Path(home).expanduser().absolute()
    except RuntimeError:
        reason = "is in the home folder of a user who is not known here"
    except OSError as error:
        reason = f"is in the working folder, which cannot be told: {error.strerror}"
    raise ParameterError(
        _HOME_VARIABLE, f"{home!r} {reason}", "Set it to the whole path of a folder, from / on."
    )


def environment_from_anywhere() -> dict[str, str]:
    """The environment for a process that works in another folder: it finds the same places."""
    environment = dict(os.environ)
    if home := _home():
        environment[_HOME_VARIABLE] = str(home)
    for name in _OTHERS_VARIABLES:
        value = environment.get(name, "")
        # Its reader makes a path from the root of what begins with a home or another variable.
        if value and not value.startswith(("~", "$")):
            environment[name] = str(Path(value).absolute())
    return environment


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

        # A folder for temporary files that differs between two logins would hide the engine.
        name = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
        directory = Path("/tmp") / f"{_APP}-{os.getuid()}-{name}"
    return private_dir(directory)


def socket_path() -> Path:
    """The Unix socket on which the engine listens."""
    return runtime_dir() / "engine.sock"


def private_dir(directory: Path) -> Path:
    """`directory`, made with mode 0700 if need be.

    Raises `EngineError` if it belongs to someone else, or cannot be made or closed to others.
    """
    with in_own_folder(directory):
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


@contextmanager
def in_own_folder(path: Path) -> Iterator[None]:
    """What is done to `path`, a folder of sdtui or a file in one; `EngineError` if it fails."""
    try:
        yield
    except OSError as error:
        raise EngineError(
            "A folder of sdtui cannot be used",
            f"{path}: {error.strerror}.",
            "Make it a folder that you may write, with room on its disk, or set SDTUI_HOME to"
            " another.",
        ) from error
