"""The parent of the interface's process, which restores the terminal when that process is killed.

A killed process cannot tidy up after itself, so `sdtui` forks before it imports anything heavy: the
child becomes the interface, the parent waits for it. Both are in one process group, so that a
shell's job control, Ctrl+Z and `fg` among it, works on both.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import termios

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
RESTORE = (
    "\x1b\\"  # ends whatever sequence was cut off
    + "".join(f"\x1b[?{mode}l" for mode in _MODES_OFF)
    + "\x1b[<u"  # the keyboard protocol of Kitty; it belongs to the alternate screen
    + "\x1b[?1049l"  # the alternate screen
    + "\x1b[?7h\x1b[?25h\x1b[0m"  # line wrap, the cursor, plain text
)


def launch() -> int | None:
    """Fork. None in the child, which goes on as the interface.

    The parent returns when the child has ended, with the exit code that a shell reports for it.
    """
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    # A signal that comes in between waits until it can be forwarded.
    signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
    child = os.fork()
    if child:
        for number in _FORWARDED:
            signal.signal(number, lambda number, _: os.kill(child, number))
        for number in _STOPS_OF_THE_BACKGROUND:
            signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
    if not child:
        return None
    status = _wait_for(child)
    if os.WIFSIGNALED(status):
        _restore(terminal, before)
        return 128 + os.WTERMSIG(status)
    return os.WEXITSTATUS(status)


def suspend_process() -> None:
    """Stop this process as Ctrl+Z stops any other; returns when it is continued.

    The kernel does not stop a process that no shell could continue.
    """
    handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTSTP)
    signal.signal(signal.SIGTSTP, handler)


def _wait_for(child: int) -> int:
    """The child's wait status at its end; until then, stop and go on as it does."""
    while True:
        _, status = os.waitpid(child, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            return status
        suspend_process()
        os.kill(child, signal.SIGCONT)


def _restore(terminal: int, attributes: list[int | list[bytes | int]]) -> None:
    # A terminal that is gone needs nothing more.
    with contextlib.suppress(OSError, termios.error):
        os.write(sys.stdout.fileno(), RESTORE.encode())
        # What the terminal has reported meanwhile, the mouse above all, was not meant for a shell.
        termios.tcsetattr(terminal, termios.TCSAFLUSH, attributes)
