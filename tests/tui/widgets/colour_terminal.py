"""A terminal whose cells' colours can be asked for, and whose size can change."""

from __future__ import annotations

import fcntl
import signal
import struct
import termios

from tests.terminal import Terminal

Pixel = tuple[int, int, int]
NO_COLOUR: Pixel = (-999, -999, -999)


class ColourTerminal(Terminal):
    """A child on a pseudo-terminal, down to the colours of a cell."""

    def resize(self, columns: int, lines: int, cell: tuple[int, int] = (0, 0)) -> None:
        """Give the terminal another size and say so to the child; a cell has so many pixels."""
        self._screen.resize(lines, columns)
        size = struct.pack("HHHH", lines, columns, columns * cell[0], lines * cell[1])
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, size)
        self.process.send_signal(signal.SIGWINCH)

    def pixels(self, column: int, line: int) -> tuple[Pixel, Pixel]:
        """The upper and the lower half of a cell; `NO_COLOUR` where it has the terminal's own."""
        cell = self._screen.buffer[line][column]
        upper = cell.fg if cell.data in "▀█" else cell.bg
        lower = cell.fg if cell.data in "▄█" else cell.bg
        return _rgb(upper), _rgb(lower)


def _rgb(colour: str) -> Pixel:
    if len(colour) != 6:
        return NO_COLOUR
    red, green, blue = bytes.fromhex(colour)
    return red, green, blue
