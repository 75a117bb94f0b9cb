"""What is on the way to the terminal, by what the terminal itself says of it.

A kernel, an ssh and a modem take far more than they hand on at once, and a key's echo waits behind
all of it. So a question is written behind what is drawn, and nothing more is drawn while more is
on the way than the link carries in a moment.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from time import monotonic

QUESTION = "\x1b[5n"
"""DSR: is the terminal well? Every terminal says so when it has come that far."""
ANSWER = "\x1b[0n"

_WORTH_A_QUESTION = 2_000
"""Bytes."""
_LEAST = 3_000
_MOMENT_SECONDS = 0.08
"""A key's echo may wait about so long behind what was drawn before it."""
_LATE_SECONDS = 0.15
_AT_ONCE_SECONDS = 0.005
"""What is written no further apart than this is one piece. Of pieces with pauses between them, the
time that they take tells of the pauses."""
_SHORTEST_SECONDS = 0.001
_MEMORY = 0.7
"""How much of the rate stays at another answer: the terminal may have been busy for a moment."""


class InTransit:
    """Counts what is written, and how much of it the terminal has not answered for.

    Before the first answer nothing waits, so that a terminal that never answers is not waited for.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._round_trip: float | None = None
        self._rate: float | None = None
        self._asked: int | None = None
        self._asked_at = self._asked_piece_since = 0.0
        self._answered_at = 0.0
        self._asked_piece = 0
        self._unasked = 0
        self._unasked_since = 0.0
        self._piece = 0
        self._piece_since = 0.0
        self._wrote_at = 0.0

    def begin_again(self) -> InTransit:
        """Of the same link, when nothing that was asked will be answered any more."""
        other = InTransit(self._clock)
        other._rate = self._rate
        return other

    def wrote(self, size: int) -> None:
        """So many bytes were written."""
        now = self._clock()
        # Pauses while something is on the way are taken for the link's: a slow one makes them.
        has_paused = self._asked is None and now - self._wrote_at > _AT_ONCE_SECONDS
        if has_paused or not self._piece:
            self._piece, self._piece_since = 0, now
        self._piece += size
        self._wrote_at = now
        is_old = self._asked is None and now - self._unasked_since > _LATE_SECONDS
        if is_old or not self._unasked:
            # What is old was little, or it had been asked about: it has come by now.
            self._unasked, self._unasked_since = 0, now
        self._unasked += size

    @property
    def has_answered(self) -> bool:
        """Whether the terminal is one that answers."""
        return self._round_trip is not None

    @property
    def round_trip(self) -> float:
        """The shortest that an answer took, in seconds; without end before the first."""
        return inf if self._round_trip is None else self._round_trip

    @property
    def wants_to_ask(self) -> bool:
        """Whether a question should be written now, and `asked` be called."""
        enough = 0 if self._round_trip is None else _WORTH_A_QUESTION
        return self._asked is None and self._unasked >= enough

    def asked(self) -> None:
        """A question was written behind all that was."""
        self._asked, self._unasked = self._unasked, 0
        self._asked_at = self._clock()
        self._asked_piece_since = self._piece_since if self._asked else self._asked_at
        self._asked_piece, self._piece = self._piece, 0

    def answered(self, at: float | None = None, *, measure: bool = True) -> None:
        """The terminal has come as far as the question; its answer came `at` a time, or now.

        Without `measure` nothing is learnt of the link: the answer may be to an earlier question.
        """
        if self._asked is None:
            return
        now = self._clock() if at is None else at
        if now < self._asked_at:
            # To an earlier question, of which it was too late to hear.
            return
        if not measure:
            self._asked, self._answered_at = None, now
            return
        seconds = now - self._asked_at
        if self._round_trip is None or seconds < self._round_trip:
            self._round_trip = seconds
        elif self._asked_piece >= _WORTH_A_QUESTION:
            # What waited behind something else began to come when that had come.
            on_the_link = min(
                now - self._asked_piece_since - self._round_trip, now - self._answered_at
            )
            rate = self._asked_piece / max(on_the_link, _SHORTEST_SECONDS)
            before = rate if self._rate is None else self._rate
            self._rate = _MEMORY * before + (1 - _MEMORY) * rate
        self._asked = None
        self._answered_at = now

    @property
    def allowance(self) -> float:
        """How many bytes may be written at once."""
        return inf if self._rate is None else max(_LEAST, self._rate * _MOMENT_SECONDS)

    @property
    def is_too_much(self) -> bool:
        """Whether to draw nothing before the next answer: too many bytes, or it comes too late."""
        if self._round_trip is None or self._asked is None:
            return False
        seconds = self._clock() - self._asked_at - self._round_trip
        # Twice as much is on the way while nothing waits, but what is painted next may be large.
        moving = 0.0 if self._rate is None else self._rate * self._round_trip / 2
        is_much = self._asked + self._unasked > moving + self.allowance
        return is_much or seconds > _LATE_SECONDS
