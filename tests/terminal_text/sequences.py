"""The control sequences in what a program wrote to its terminal."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.terminal_text.corpus import CANARY

_SEQUENCE = re.compile(
    r"\x1b\[(?P<csi>[0-?]*)(?P<final>[ -/]*[@-~])"
    r"|(?:\x1b\]|\x9d)(?P<osc>.*?)(?:\x07|\x1b\\|\x9c)"
    r"|(?:\x1b(?P<string>[PX^_])|[\x90\x98\x9e\x9f])(?P<body>.*?)(?:\x1b\\|\x9c)"
    r"|\x1b(?P<short>[ -/]*[0-~])"
    r"|(?P<control>[\x00-\x1f\x7f-\x9f])",
    re.DOTALL,
)
_HIDDEN = re.compile("[\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]")


@dataclass(frozen=True)
class Written:
    """What went to the terminal: the kinds of its control sequences, and its text without them."""

    kinds: frozenset[str]
    canaries: tuple[str, ...]
    text: str

    @classmethod
    def of(cls, output: bytes) -> Written:
        """Take apart all that a program wrote, which must be UTF-8."""
        text = output.decode()
        found = list(_SEQUENCE.finditer(text))
        return cls(
            frozenset(map(_kind, found)),
            tuple(match.group() for match in found if CANARY in match.group()),
            _SEQUENCE.sub("", text),
        )

    def foreign(self, ours: Written) -> list[str]:
        """The sequences and hidden characters that are none of sdtui's own."""
        return [*self.kinds - ours.kinds, *self.canaries, *set(_HIDDEN.findall(self.text))]


def _kind(match: re.Match[str]) -> str:
    """What a sequence does, without its figures."""
    if (final := match["final"]) is not None:
        return f"CSI {re.sub('[0-9;:]', '', match['csi'])} {final}"
    if (osc := match["osc"]) is not None:
        return f"OSC {osc.split(';')[0]}"
    return repr(match["string"] or match["short"] or match["control"] or match.group()[0])
