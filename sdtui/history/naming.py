"""What a new picture's file is called: a template of known fields, which cannot lead elsewhere."""

from __future__ import annotations

import datetime
import itertools
import re
import string
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

from sdtui import paths
from sdtui.errors import ParameterError
from sdtui.params import GenerationParams
from sdtui.text import clean

_SLUG_CHARACTERS = 48
_FIELDS = {"date": 10, "number": 12, "prompt": _SLUG_CHARACTERS, "seed": 19, "model": 48}
"""What may stand in braces, and how many ASCII characters it becomes at most."""

_SUFFIX = ".png"
_LONGEST_NAME = 240
"""In bytes; file systems take 255, and a name that is taken gets a number behind it."""

_LONGEST_PATH = 1_000


class _Piece(NamedTuple):
    """Text that stands for itself, or a field."""

    text: str
    is_field: bool = False

    @property
    def longest(self) -> int:
        """How many bytes it becomes at most."""
        return _FIELDS[self.text] if self.is_field else len(self.text.encode())


class NameTemplate:
    """Text with fields in braces and `/` between folders: `{date}/{number}-{prompt}-{seed}`.

    Fields become lower-case letters, digits and hyphens, and every other part is checked here, so
    that no prompt and no model leads out of the output folder.

    Raises `ParameterError` for what is no field, and for what is no way down from a folder.
    """

    def __init__(self, text: str) -> None:
        parts = _parts(text.removesuffix(_SUFFIX))
        for part in parts:
            _check(part)
        *self._folders, self._name = parts
        self._is_numbered = _Piece("number", True) in self._name
        if any(_Piece("number", True) in folder for folder in self._folders):
            raise _refused("{number} is the file's own", "Use it behind the last / only.")
        if sum(piece.longest for part in parts for piece in part) > _LONGEST_PATH:
            raise _refused("is too long", "Leave some of it out.")

    @classmethod
    def configured(cls) -> NameTemplate:
        """The one that the user set, or the usual one."""
        return cls(paths.picture_names())

    def folder(self, params: GenerationParams, today: datetime.date) -> PurePosixPath:
        """The file's folder, from that of all pictures on."""
        fields = _values(params, today)
        return PurePosixPath(*[_filled(part, fields) for part in self._folders])

    def names(
        self, params: GenerationParams, today: datetime.date, taken: Collection[str]
    ) -> Iterator[str]:
        """Names for the file, none of them `taken`, in a folder where those are.

        The number goes on from the highest one there. Without a number in the template, a name that
        is taken gets one behind it.
        """
        values = _values(params, today)
        stems: Iterator[str]
        if self._is_numbered:
            numbers = itertools.count(self._highest_of(taken) + 1)
            stems = (_filled(self._name, {**values, "number": f"{n:04}"}) for n in numbers)
        else:
            stem = _filled(self._name, values)
            stems = itertools.chain([stem], (f"{stem}-{n}" for n in itertools.count(2)))
        return (stem + _SUFFIX for stem in stems if stem + _SUFFIX not in taken)

    def _highest_of(self, names: Collection[str]) -> int:
        """The highest number among the names that this template made, whatever of."""
        patterns = dict.fromkeys(_FIELDS, ".*") | {"number": r"(\d{4,})"}
        pattern = re.compile(_filled(self._name, patterns, re.escape) + re.escape(_SUFFIX))
        matches = map(pattern.fullmatch, names)
        return max((int(match.group(1)) for match in matches if match), default=0)


def slug(text: str, otherwise: str = "picture") -> str:
    """Text as a part of a file name: words of ASCII letters and digits, at most 48 long."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = "-".join(re.findall(r"[a-z0-9]+", ascii_text))
    return words[:_SLUG_CHARACTERS].rstrip("-") or otherwise


def _parts(text: str) -> list[list[_Piece]]:
    """What stands between the slashes."""
    try:
        pieces = list(string.Formatter().parse(text))
    except ValueError as error:
        raise _refused(f"cannot be read: {error}", "{{ and }} stand for braces.") from None
    parts: list[list[_Piece]] = [[]]
    for literal, field, spec, conversion in pieces:
        first, *others = literal.split("/")
        parts[-1].append(_Piece(first))
        parts += [[_Piece(other)] for other in others]
        if field is None:
            continue
        if field not in _FIELDS or spec or conversion:
            known = ", ".join(f"{{{name}}}" for name in _FIELDS)
            raise _refused(
                f"{{{clean(field)}}} is no field that can stand there", f"Known, as is: {known}."
            )
        parts[-1].append(_Piece(field, True))
    return parts


def _check(part: list[_Piece]) -> None:
    """Raise `ParameterError` unless a part is the name of a file or a folder."""
    literal = "".join(piece.text for piece in part if not piece.is_field)
    if not any(piece.is_field or piece.text.strip() for piece in part):
        raise _refused(
            "has an empty part",
            "Between slashes, and at both ends, stands a name.",
        )
    if next(piece for piece in part if piece.is_field or piece.text).text.startswith("."):
        raise _refused("has a part that begins with a dot", "It leads down into folders only.")
    if clean(literal) != literal or "\\" in literal:
        raise _refused("holds a character that is no part of a name", "Leave it out.")
    if sum(piece.longest for piece in part) > _LONGEST_NAME:
        raise _refused("is too long", "Leave some of it out.")


def _filled(
    part: list[_Piece], fields: Mapping[str, str], literal: Callable[[str], str] = str
) -> str:
    return "".join(fields[piece.text] if piece.is_field else literal(piece.text) for piece in part)


def _values(params: GenerationParams, today: datetime.date) -> dict[str, str]:
    return {
        "date": today.isoformat(),
        "prompt": slug(params.prompt),
        "seed": str(params.seed),
        "model": slug(params.model.rstrip("/").rpartition("/")[2], "model"),
    }


def _refused(reason: str, remedy: str) -> ParameterError:
    return ParameterError(paths.PICTURE_NAMES_VARIABLE, reason, remedy)
