"""What is said and kept when the interface itself fails: never the values of its variables."""

from __future__ import annotations

import os
import time
import traceback
from pathlib import Path

from rich.text import Text

from sdtui.paths import log_dir
from sdtui.text import clean


def write_crash_log(error: BaseException | None) -> Path:
    """Append the traceback, without local variables, to the interface's log (mode 0600)."""
    path = log_dir() / "ui.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = traceback.format_exception(error) if error is not None else ["no exception\n"]
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace") as log:
        log.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} the interface failed\n")
        log.writelines(lines)
    return path


def report_of(error: BaseException | None, log: Path) -> Text:
    """Three lines for the terminal: what failed, what goes on, where the details lie."""
    name = type(error).__name__ if error is not None else "Unknown error"
    return Text(
        f"sdtui failed: {name}: {clean(str(error), limit=200)}\n"
        "The engine and its pictures are not touched; start sdtui again.\n"
        f"Details: {clean(str(log))}"
    )
