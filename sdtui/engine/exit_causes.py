"""Why a process ended, in words, and what helps."""

from __future__ import annotations

import signal

DEVICE_FAILED = 70
"""The exit code of a worker whose device reported an error that no process recovers from."""


def describe_exit(returncode: int) -> tuple[str, str]:
    """What a worker's `returncode` means, and the remedy.

    A negative code is the signal that ended the process, as `waitpid` reports it.
    """
    log = "`sdtui engine logs` shows its last words."
    if returncode == DEVICE_FAILED:
        return (
            "The device failed (an error of the GPU or its driver).",
            "If it happens again, choose a smaller picture, or restart the machine; `sdtui engine "
            "logs` shows what the driver said.",
        )
    if returncode >= 0:
        return f"The worker ended with exit code {returncode}.", log
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = f"signal {-returncode}"
    match name:
        case "SIGKILL":
            return (
                "The worker was killed (SIGKILL), most likely because memory ran out.",
                "Choose a smaller picture or model, or free some memory.",
            )
        case "SIGBUS":
            return (
                "The worker lost a file that it was reading (SIGBUS).",
                "The model's files changed or are damaged: fetch them again.",
            )
        case _:
            return f"The worker crashed ({name}).", log
