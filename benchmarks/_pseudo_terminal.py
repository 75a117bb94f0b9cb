"""A program on a pseudo-terminal, whose other end the benchmark reads in its own way."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from pathlib import Path

SDTUI = (sys.executable, "-m", "sdtui")
QUESTION, ANSWER = b"\x1b[?2026$p", b"\x1b[?2026;2$y"
"""What the interface asks behind a frame (DECRQM), and what a terminal says."""
ANSWERS = {QUESTION: ANSWER, b"\x1b[5n": b"\x1b[0n", b"\x1b[c": b"\x1b[?62;22c"}
"""All that it asks: also whether all is well (DSR), and once what the terminal is (DA1)."""


def start(command: Sequence[str], columns: int, lines: int) -> tuple[subprocess.Popen[bytes], int]:
    """The started program in a session of its own, and the descriptor of the terminal's end."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    process = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"},
        start_new_session=True,
    )
    os.close(theirs)
    return process, ours


def cpu_seconds(session: int) -> float:
    """CPU time of all processes in a session, as `start` makes one, so far (Linux)."""
    ticks = 0
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == session:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
