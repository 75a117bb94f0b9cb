"""Cells in a row and how they are written: colours and characters as a terminal's sequences.

Thousands of cells can change at every step, so they are written all at once: each cell is a row of
bytes that has room for all that a cell may need, and the room that is left is taken out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESET = "\x1b[0m"

Numbers = NDArray[Any]
Texts = NDArray[np.uint8]
"""(count, room): the bytes of a text in each row; zeros are room that it leaves."""


def texts(words: Sequence[str]) -> Texts:
    """Each word in a row of its own."""
    encoded = [word.encode() for word in words]
    room = max(map(len, encoded))
    return np.array(encoded, dtype=f"S{room}").view(np.uint8).reshape(len(encoded), room)


_LEVELS = texts([f";{level}" for level in range(256)])
_NO_ROOM: Texts = np.zeros((1, 0), dtype=np.uint8)
_NONE = -1


@dataclass(frozen=True, slots=True)
class Codes:
    """The SGR parameters of colours as ink and as paper, by the numbers that stand for them."""

    ink: Callable[[Numbers], Texts]
    paper: Callable[[Numbers], Texts]

    @classmethod
    def of(cls, ink: Sequence[str], paper: Sequence[str]) -> Codes:
        """A number is a place in these lists."""
        return cls(texts(ink).__getitem__, texts(paper).__getitem__)


def _truecolor(prefix: str) -> Callable[[Numbers], Texts]:
    start = texts([prefix])

    def codes(colours: Numbers) -> Texts:
        levels = [_LEVELS[colours >> bits & 255] for bits in (16, 8, 0)]
        return np.hstack([start.repeat(len(colours), axis=0), *levels])

    return codes


TRUECOLOR = Codes(_truecolor("38;2"), _truecolor("48;2"))
"""Numbers are 0xRRGGBB."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Which of the `characters` each is, what the codes know its colours by, and the true ones.

    The first of the characters is the space, which shows its paper alone.
    """

    characters: str
    shape: Numbers
    ink: Numbers
    paper: Numbers
    true_ink: Numbers
    true_paper: Numbers

    def __len__(self) -> int:
        return len(self.shape)

    def part(self, start: int, end: int) -> Cells:
        """The cells from `start` up to `end`."""
        return Cells(
            self.characters,
            self.shape[start:end],
            self.ink[start:end],
            self.paper[start:end],
            self.true_ink[start:end],
            self.true_paper[start:end],
        )

    def written(self, codes: Codes, moves: Texts = _NO_ROOM) -> str:
        """The cells one after the other, each after its move, and then the colours reset.

        A colour is written where another one was before it. Of no cells, nothing.
        """
        if not len(self):
            return ""
        is_inked = self.shape != 0
        # Over spaces, the ink of what came before them stays.
        inked = np.maximum.accumulate(np.where(is_inked, np.arange(len(self)), -1))
        changes_ink = _changes(np.where(inked < 0, _NONE, self.ink[inked]))
        changes_paper = _changes(self.paper)
        changes = changes_ink | changes_paper
        parts = [
            np.broadcast_to(moves, (len(self), moves.shape[1])),
            _where(changes, "\x1b["),
            codes.ink(self.ink) * changes_ink[:, None],
            _where(changes_ink & changes_paper, ";"),
            codes.paper(self.paper) * changes_paper[:, None],
            _where(changes, "m"),
            _characters(self.characters)[self.shape],
        ]
        sequences = np.hstack(parts).ravel()
        return sequences[sequences != 0].tobytes().decode() + RESET


def _changes(numbers: Numbers) -> NDArray[np.bool_]:
    """Where a number differs from the one before it, of which there is none at first."""
    return np.diff(numbers, prepend=_NONE) != 0


def _where(condition: NDArray[np.bool_], word: str) -> Texts:
    """The word in the rows for which the condition holds."""
    return texts([word]) * condition[:, None]


@lru_cache
def _characters(characters: str) -> Texts:
    return texts(characters)
