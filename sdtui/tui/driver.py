"""Textual's driver for a terminal that may go away at any time, and may stop taking output.

When the other side of a terminal is gone, Textual's own writer dies of the first error, and its
queue then blocks the event loop for ever; its reader turns the error into a crash, or spins on the
end of the file. An interface that nobody can see any more would be left behind.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import signal
import sys
import termios
import threading
from codecs import getincrementaldecoder
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from textual.drivers.linux_driver import LinuxDriver
from textual.events import Key, Paste
from textual.message import Message

from sdtui.launcher import suspend_process
from sdtui.tui.few_styles import with_few_styles
from sdtui.tui.in_transit import QUESTION, InTransit
from sdtui.tui.terminal_input import InputParser, with_bursts_as_pastes
from sdtui.tui.terminal_output import TerminalOutput

if TYPE_CHECKING:
    from textual.app import App

_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_READ_BYTES = 4096
_MOST_WAITING_PER_CELL = 210
"""Characters; with more, the terminal is behind. What is painted when it has caught up must not put
it behind again: half blocks take up to 40 a cell, a preview in Sixel on top of them up to 160."""
_ASK_AGAIN_SECONDS = 10.0
_LAST_ANSWER_SECONDS = 1.0
_TICK_SECONDS = 0.1
"""How often the parser is asked whether a lone ESC was the key, and the ends are looked for."""


class TerminalDriver(LinuxDriver):
    """Tells the application what ends it from outside; its output never blocks the event loop.

    While the terminal takes no output, or has not come as far as it should have, nothing is drawn:
    what follows then is the newest state, not everything that was to be seen meanwhile.
    """

    @dataclass
    class Signalled(Message):
        """The signal `number` came, or what it stands for: a terminal that is gone is a hangup."""

        number: int

    class CaughtUp(Message):
        """The terminal has come far enough for more to be drawn."""

    def __init__(
        self,
        app: App[Any],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        # The first layout asks for it before the first event tells it.
        self._size = size or self._get_terminal_size()
        self._pause = ExitStack()
        self._in_transit = InTransit()
        self._answers = threading.Condition()
        self._unanswered = 0
        self._asked_at = monotonic()
        self._asks = False
        self._is_gone = False
        self._is_away = False
        self._hold = ExitStack()
        self._asks_again: asyncio.TimerHandle | None = None
        self.is_held = False
        self._launcher = os.getppid()
        self._typed_at = monotonic()
        # Textual's own handlers stop the process in the middle of whatever it does.
        signal.signal(signal.SIGCONT, signal.SIG_DFL)
        self._loop.add_signal_handler(signal.SIGTSTP, self._suspend)
        self._hear_of_ends()

    def _hear_of_ends(self) -> None:
        for number in _ENDS:
            self._loop.add_signal_handler(number, self._tell, number)

    def _get_terminal_size(self) -> tuple[int, int]:
        """The window's own size: COLUMNS and LINES, where they are exported, do not follow it."""
        try:
            columns, lines = os.get_terminal_size(self.fileno)
        except OSError:
            columns = lines = 0
        return (columns, lines) if columns and lines else super()._get_terminal_size()

    def start_application_mode(self) -> None:
        """Take the terminal over."""
        terminal = sys.__stdout__
        assert terminal is not None, "the interface has a terminal"
        # Textual's writer is started too, and stays idle.
        self._output = TerminalOutput(
            terminal.fileno(),
            most_waiting=lambda: self._app.size.area * _MOST_WAITING_PER_CELL,
            when_gone=partial(self._tell, signal.SIGHUP),
            when_behind=lambda behind: self._loop.call_soon_threadsafe(self._draw, behind),
        )
        self._output.start()
        self._in_transit = self._in_transit.begin_again()
        self._unanswered, self._asks = 0, False
        super().start_application_mode()
        # What a terminal answers before input is raw, it shows as if it had been typed.
        self._asks = True
        self._ask_if_worth_it()

    def stop_application_mode(self) -> None:
        """Give the terminal back as it was, unless it is the shell's already."""
        if self._is_away:
            return
        self._hear_the_last()
        # Until the input ends, an answer of the terminal can switch another mode on.
        self.disable_input()
        self._let_draw()
        super().stop_application_mode()
        if self._mouse_pixels:
            self.write("\x1b[?1016l")
            self._mouse_pixels = False

    def disable_input(self) -> None:
        """Take no more of what is typed."""
        if not self._is_away:
            super().disable_input()

    def write(self, data: str) -> None:
        """Send text to the terminal, in order, some time soon."""
        data = with_few_styles(data)
        self._output.write(data)
        self._in_transit.wrote(len(data.encode(errors="replace")))
        self._ask_if_worth_it()
        if self._in_transit.is_too_much and not self.is_held:
            self.is_held = True
            # What is being painted is painted to its end.
            self._loop.call_soon_threadsafe(self._hold_back)

    @property
    def allowance(self) -> float:
        """How many bytes may be written at once without a key having to wait for them."""
        return self._in_transit.allowance

    @property
    def idle_seconds(self) -> float:
        """How long nobody has typed."""
        return monotonic() - self._typed_at

    @property
    def round_trip(self) -> float:
        """What an answer takes when nothing was sent before it, as far as is known."""
        return self._in_transit.round_trip

    def close(self) -> None:
        """Let everything be written that can be."""
        super().close()
        self._output.finish()

    def run_input_thread(self) -> None:
        """Turn what is typed into events, until the input is disabled or the terminal is gone."""
        parser = InputParser(self._debug, when_well=self._well)
        decode = getincrementaldecoder("utf-8")("replace").decode
        while not self.exit_event.is_set():
            if select.select([self.fileno], [], [], _TICK_SECONDS)[0]:
                try:
                    typed = os.read(self.fileno, _READ_BYTES)
                except OSError:
                    typed = b""
                if not typed:
                    self._tell(signal.SIGHUP)
                    return
                # To the parser, empty text is the end: half a character is no text yet.
                if text := decode(typed):
                    goes_on = bool(select.select([self.fileno], [], [], 0)[0])
                    for event in with_bursts_as_pastes(parser.feed(text), goes_on):
                        if isinstance(event, (Key, Paste)):
                            self._typed_at = monotonic()
                        self.process_message(event)
            for event in parser.tick():
                self.process_message(event)
            if os.getppid() != self._launcher:
                # Its end has given the terminal to the shell.
                self._tell(signal.SIGHUP)
                return

    def _suspend(self) -> None:
        self.suspend_application_mode()
        self._is_away = True
        ends = self._wait_for_the_terminal()
        if ends:
            for number in ends:
                self._tell(number)
            return
        self._is_away = False
        self.resume_application_mode()
        # The terminal may have forgotten the pictures that it kept.
        self.send_message(self.SignalResume())
        self._app.refresh(layout=True)

    def _wait_for_the_terminal(self) -> list[int]:
        """Stop until the terminal is there again; what came instead, and ends the application.

        The event loop, which hears of such signals otherwise, stands still meanwhile.
        """
        ends: list[int] = []
        for number in _ENDS:
            signal.signal(number, lambda number, _: ends.append(number))
        suspend_process()
        while not ends:
            try:
                # Continued in the background, it is stopped here until it is in the foreground.
                termios.tcsetattr(self.fileno, termios.TCSANOW, termios.tcgetattr(self.fileno))
                break
            except termios.error as error:
                if error.args[0] != errno.EINTR:
                    ends.append(signal.SIGHUP)
        self._hear_of_ends()
        return ends

    def _ask_if_worth_it(self) -> None:
        if self._asks and self._in_transit.wants_to_ask:
            self._give_up_the_lost()
            self._in_transit.asked()
            self._ask()

    def _ask(self) -> None:
        """Ask the terminal, behind all that is written, whether it is well."""
        with self._answers:
            self._unanswered += 1
            self._asked_at = monotonic()
        self._output.write(QUESTION)

    def _give_up_the_lost(self) -> None:
        """Expect no answers any more that have been on the way for so long.

        Not when it is asked again: both answers may come then, the first one late, and the second
        would be taken for one to the next question.
        """
        with self._answers:
            if monotonic() - self._asked_at > _ASK_AGAIN_SECONDS:
                self._unanswered = 0

    def _well(self) -> None:
        """The terminal has said that it is well, says the thread of the input."""
        with self._answers:
            self._unanswered = max(0, self._unanswered - 1)
            is_last = not self._unanswered
            self._answers.notify()
        self._loop.call_soon_threadsafe(self._hear, self._in_transit, monotonic(), is_last)

    def _hear(self, in_transit: InTransit, at: float, is_last: bool) -> None:
        """The terminal has come as far as a question; it was the newest one if `is_last`.

        The event loop may have been busy since the answer came, for which the link can do nothing.
        """
        if in_transit is not self._in_transit:
            # Asked before the terminal was the shell's for a while.
            return
        in_transit.answered(at, measure=is_last)
        self._ask_if_worth_it()
        if not self._in_transit.is_too_much:
            self._let_draw()

    def _hear_the_last(self) -> None:
        """Wait for all answers that are on the way: later, the shell would take them for typed."""
        self._asks = False
        if self._in_transit.has_answered and not self._is_gone:
            self._give_up_the_lost()
            self._ask()
            with self._answers:
                self._answers.wait_for(lambda: not self._unanswered, _LAST_ANSWER_SECONDS)

    def _hold_back(self) -> None:
        """Draw nothing until the terminal has come further; ask again should its answer be lost."""
        # It may have been let go of, and held again, since this was called for.
        if self.is_held and self._asks_again is None:
            self._hold.enter_context(self._app.batch_update())
            self._asks_again = self._loop.call_later(_ASK_AGAIN_SECONDS, self._ask_again)

    def _ask_again(self) -> None:
        self._ask()
        self._asks_again = self._loop.call_later(_ASK_AGAIN_SECONDS, self._ask_again)

    def _let_draw(self) -> None:
        if self.is_held:
            self.is_held = False
            self._hold.close()
            if self._asks_again is not None:
                self._asks_again.cancel()
                self._asks_again = None
            self.send_message(self.CaughtUp())

    def _draw(self, is_behind: bool) -> None:
        """Draw nothing while the terminal is behind; then what is newest, once."""
        if is_behind:
            self._pause.enter_context(self._app.batch_update())
        else:
            self._pause.close()
            if self._app.is_running:
                self._app.refresh()

    def _tell(self, number: int) -> None:
        if number == signal.SIGHUP:
            self._is_gone = True
        self.send_message(self.Signalled(number))
