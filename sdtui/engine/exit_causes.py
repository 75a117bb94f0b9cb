"""Why a process ended, in words, and what helps."""

from __future__ import annotations

import signal
from typing import NamedTuple

DEVICE_FAILED = 70
"""The exit code of a worker whose device reported an error that no process recovers from."""

SEE_THE_LOG = "`sdtui engine logs` shows its last words."


class ExitCause(NamedTuple):
    """What happened, and what to do about it."""

    message: str
    remedy: str


STOPPED = ExitCause(
    "The worker was stopped (SIGSTOP) by another program, and replaced.",
    "If it happens again, look for what stops it: a job control, a debugger, a batch system.",
)

SPEECHLESS = ExitCause(
    "The worker said nothing more that the engine understands, and was replaced.", SEE_THE_LOG
)


def hung(seconds: float) -> ExitCause:
    """The cause of a worker's end that computed nothing for so long."""
    return ExitCause(
        f"The worker hung: it computed nothing for {seconds:g} s, and was replaced.", SEE_THE_LOG
    )


def deaf(seconds: float) -> ExitCause:
    """The cause of a worker's end that did not stop its job for so long."""
    return ExitCause(
        f"The worker did not heed a cancellation for {seconds:g} s, and was replaced.", SEE_THE_LOG
    )


def describe_exit(returncode: int, device_error: str = "") -> ExitCause:
    """What a worker's `returncode` means, and the remedy.

    A negative code is the signal that ended the process, as `waitpid` reports it. `device_error` is
    what the worker said of its device before it ended.
    """
    if returncode == DEVICE_FAILED:
        return ExitCause(
            f"The device failed: {device_error or 'an error of the GPU or its driver'}.",
            "If it happens again, choose a smaller picture, or restart the machine; `sdtui engine "
            "logs` says more.",
        )
    if returncode >= 0:
        return ExitCause(f"The worker ended with exit code {returncode}.", SEE_THE_LOG)
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = f"signal {-returncode}"
    match name:
        case "SIGKILL":
            return ExitCause(
                "The worker was killed (SIGKILL), most likely because memory ran out.",
                "Choose a smaller picture or model, or free some memory.",
            )
        case "SIGBUS":
            return ExitCause(
                "The worker lost a file that it was reading (SIGBUS).",
                "The model's files changed or are damaged: fetch them again.",
            )
        case _:
            return ExitCause(f"The worker crashed ({name}).", SEE_THE_LOG)
