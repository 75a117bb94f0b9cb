"""The parent of the interface's process, which restores the terminal when that process is killed.

A killed process cannot tidy up after itself, so `sdtui` forks before it imports anything heavy: the
child becomes the interface, the parent waits for it. Both are in one process group, with whatever
started them and waits, such as make or a script, so that a shell's job control, Ctrl+Z and `fg`
among it, works on all of them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import termios

from sdtui.errors import TerminalError

_FORWARDED = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGTSTP,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
_STOPS_OF_THE_BACKGROUND = (signal.SIGTTIN, signal.SIGTTOU)
_OWN_GROUP = 0

_MODES_OFF = (
    2026,  # synchronized output
    1000,  # the mouse: clicks,
    1002,  # drags,
    1003,  # every motion,
    1006,  # and how they are written
    1015,
    1016,
    1004,  # focus
    2004,  # bracketed paste
    2048,  # in-band resize
)
_RESTORE = (
    "\x1b\\"  # ends whatever sequence was cut off
    + "".join(f"\x1b[?{mode}l" for mode in _MODES_OFF)
    + "\x1b[<u"  # the keyboard protocol of Kitty; it belongs to the alternate screen
    + "\x1b[?1049l"  # the alternate screen
    + "\x1b[?7h\x1b[?25h\x1b[0m"  # line wrap, the cursor, plain text
)


class InterfaceKilledError(TerminalError):
    """The interface's process was ended by a signal that nobody can answer."""

    def __init__(self, number: int) -> None:
        super().__init__(
            "The interface was killed",
            f"Its process was ended by {signal.Signals(number).name}.",
            "The engine and its jobs go on; sdtui shows them again.",
        )
        self.exit_code = 128 + number


def launch() -> int | None:
    """Fork. None in the child, which goes on as the interface.

    The parent returns when the child has ended, with its exit code, or with the one that a shell
    reports for the signal that ended it. Raises `InterfaceKilledError` where that was none of those
    by which a program is asked to end.
    """
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    # A signal that comes in between waits until it can be forwarded.
    signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
    child = os.fork()
    if child:
        for number in _FORWARDED:
            signal.signal(number, lambda number, _: _forward(number, child))
        for number in _STOPS_OF_THE_BACKGROUND:
            signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
    if not child:
        return None
    status = _wait_for(child)
    if not os.WIFSIGNALED(status):
        return os.WEXITSTATUS(status)
    _restore(terminal, before)
    killed_by = os.WTERMSIG(status)
    if killed_by not in _FORWARDED:
        raise InterfaceKilledError(killed_by)
    return 128 + killed_by


def suspend_process() -> None:
    """Stop this process as Ctrl+Z stops any other; returns when it is continued.

    The kernel does not stop a process that no shell could continue.
    """
    _suspend(os.getpid())


def _suspend(processes: int) -> None:
    handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    os.kill(processes, signal.SIGTSTP)
    signal.signal(signal.SIGTSTP, handler)


def _forward(number: int, child: int) -> None:
    # It may have ended just now.
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, number)


def _wait_for(child: int) -> int:
    """The child's wait status at its end; until then, stop and go on as it does.

    The whole group stops, as at a Ctrl+Z of the kernel's: a shell waits for the one that leads it.
    What that sends to the child, which has stopped, goes when the child is continued.
    """
    while True:
        _, status = os.waitpid(child, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            return status
        _suspend(_OWN_GROUP)
        os.kill(child, signal.SIGCONT)


def _restore(terminal: int, attributes: list[int | list[bytes | int]]) -> None:
    # A terminal that is gone needs nothing more.
    with contextlib.suppress(OSError, termios.error):
        os.write(sys.stdout.fileno(), _RESTORE.encode())
        # What the terminal has reported meanwhile, the mouse above all, was not meant for a shell.
        termios.tcsetattr(terminal, termios.TCSAFLUSH, attributes)
