"""How the engine is, and what it leaves: its socket, its log and the history."""

from __future__ import annotations

import asyncio
import os
import pwd
import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from sdtui import paths
from sdtui.commands.finding import BROKEN, OK, WARN, Finding, said
from sdtui.errors import SdtuiError
from sdtui.protocol.events import EngineStatus

_MEGABYTE = 10**6
_LOGIND_SECONDS = 5.0
_KILLING = ("KillUserProcesses", "KillExcludeUsers", "KillOnlyUsers")


def engine() -> list[Finding]:
    """The engine, if one runs, and where its socket and log are. None is started."""
    from sdtui.engine.client import EngineClient
    from sdtui.engine.launch import EngineNotRunningError, log_path

    async def ask() -> EngineStatus:
        client = await EngineClient.connect(start=False)
        await client.close()
        return client.status

    try:
        socket, log = paths.socket_path(), log_path()
        try:
            found = _running(asyncio.run(ask()))
        except EngineNotRunningError:
            found = [Finding("engine", OK, "not running; it starts when it is needed")]
    except (SdtuiError, OSError) as error:
        return [Finding("engine", BROKEN, *said(error))]
    return [*found, Finding("socket", OK, str(socket)), Finding("log", OK, str(log))]


def _running(status: EngineStatus) -> list[Finding]:
    from sdtui.engine.visible_devices import difference

    loaded = f", {status.model} on {status.device}" if status.model else ""
    value = f"{status.state}{loaded}, {status.queued} waiting, process {status.pid}"
    found = [Finding("engine", OK, value)]
    if others := difference(status.visible_devices):
        found.append(
            Finding("engine", WARN, f"started with {others}", "To change that: sdtui engine stop")
        )
    if _ends_with_its_session(status.pid):
        remedy = (
            "Once: loginctl enable-linger. Then sdtui engine stop, and systemd-run --scope --user"
            " sdtui."
        )
        value = "logind ends it at logout (KillUserProcesses, KillOnlyUsers)"
        found.append(Finding("engine", WARN, value, remedy))
    return found


def _ends_with_its_session(pid: int) -> bool:
    """Whether logind ends the process with the login session that it was started in."""
    try:
        groups = Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8", errors="replace")
        user = pwd.getpwuid(os.getuid()).pw_name
    except (OSError, KeyError):
        return False
    if not re.search(r"/session-[^/]*\.scope", groups) or shutil.which("loginctl") is None:
        return False
    try:
        # Without a session, it tells of the manager.
        asked = subprocess.run(
            ["loginctl", "show-session", *(f"--property={name}" for name in _KILLING)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LOGIND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    # A list that is empty may be left out. Where none are spared by name, root is.
    told = dict(line.partition("=")[::2] for line in asked.stdout.splitlines())
    kills, spared, only = (told.get(name, "") for name in _KILLING)
    if user in (spared.split() or ["root"]):
        return False
    return user in only.split() if only else kills == "yes"


def history() -> list[Finding]:
    """The file of the queue and of past jobs, and whether it is whole. It is only read."""
    from sdtui.history.database import Database, HistoryDamagedError, usual_path

    path = usual_path()
    try:
        with closing(Database.open_to_read()) as database:
            damage = "" if database.is_sound() else "SQLite finds faults in it"
    except HistoryDamagedError as error:
        return [Finding("history", BROKEN, *said(error))]
    except SdtuiError as error:
        remedy = f"The next engine mends {path}, or says why not: move it away to begin anew."
        return [Finding("history", WARN, said(error)[0], remedy)]
    except sqlite3.Error as error:
        damage = str(error)
    if damage:
        remedy = "Move the file away to begin anew; the pictures stay."
        return [Finding("history", BROKEN, f"{path} is damaged: {damage}", remedy)]
    size = f"{path.stat().st_size / _MEGABYTE:.1f} MB" if os.access(path, os.F_OK) else "none yet"
    return [Finding("history", OK, f"{path}, {size}")]
