"""The engine's child: the one process that imports torch. It reads requests and writes events.

Its standard output is the wire, so what libraries print goes to the log instead.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
from typing import BinaryIO

from sdtui.engine.cores import usable_cores
from sdtui.engine.inbox import Inbox

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve the supervisor at the other end of standard input and output until it goes away."""
    requests, events = claim_pipes()
    leave_the_end_to_the_supervisor()
    keep_log()
    die_with_parent()
    # With the pipe ends whoever could ask for results: so does the process, even while it imports.
    inbox = Inbox(requests, on_end=lambda: os._exit(0))

    import torch

    from sdtui.engine.workbench import Workbench

    torch.set_num_threads(min(torch.get_num_threads(), usable_cores()))
    Workbench(inbox, events).run()


def claim_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Standard input and output as the wire's own files, out of the reach of everything else.

    Afterwards descriptor 0 is empty and descriptor 1 is the log that descriptor 2 already is.
    """
    requests = os.fdopen(os.dup(0), "rb")
    events = os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return requests, events


class RedactingFormatter(logging.Formatter):
    """Lines of the log, tracebacks included, without the tokens that this process knows."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        from sdtui.diffusion.redaction import redact

        return redact(super().format(record))


def keep_log() -> None:
    """Log to standard error, which leads to the engine's log."""
    handler = logging.StreamHandler()
    form = "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"
    handler.setFormatter(RedactingFormatter(form))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def leave_the_end_to_the_supervisor() -> None:
    """Ignore the signals that ask a process to end.

    They come to supervisor and worker at once when a session or the machine ends. A worker that
    ended first would look like one that its job had brought down.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def die_with_parent() -> None:
    """Have the kernel kill this process when its supervisor dies (Linux).

    Elsewhere, and for a supervisor that died before this call, the end of the pipe does it.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
