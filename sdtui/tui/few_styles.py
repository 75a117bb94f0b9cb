"""The same screen in fewer bytes: a style is sent where it changes, not for every piece of text."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

RESET = "\x1b[0m"
_STYLE = re.compile(r"\x1b\[([\d;:]*)m")
_SHOWN_ON_SPACES = frozenset(("4", "7", "9", "21", "53"))
"""Underlined, reversed, struck out, doubly underlined, overlined."""
_ONLY_MOVES = re.compile(r"(?:\n|\x1b\[[\d;]*[HC])*")


class _Style(NamedTuple):
    """The SGR parameters that are on: of the ink, of the paper, and the rest in its order."""

    ink: str = "39"
    paper: str = "49"
    rest: tuple[str, ...] = ()


_PLAIN = _Style()


def with_few_styles(text: str) -> str:
    """`text`, which begins and ends without a style, with only those SGR sequences it needs."""
    if text.count(RESET) < 2:
        return text
    pieces = _STYLE.split(text)
    parts = [pieces[0]]
    on = wanted = _PLAIN
    for parameters, words in zip(pieces[1::2], pieces[2::2], strict=True):
        wanted = _after(wanted, parameters)
        if wanted != on and words and not _ONLY_MOVES.fullmatch(words):
            style = wanted
            if words.isspace() and wanted.rest == on.rest and _SHOWN_ON_SPACES.isdisjoint(on.rest):
                style = wanted._replace(ink=on.ink)
            parts.append(_change(on, style))
            on = style
        parts.append(words)
    if on != _PLAIN:
        parts.append(RESET)
    return "".join(parts)


@lru_cache(1024)
def _after(style: _Style, parameters: str) -> _Style:
    codes = iter(parameters.split(";"))
    for code in codes:
        if code in ("", "0"):
            style = _PLAIN
        elif code in ("38", "48", "58"):
            kind = next(codes, "")
            parts = (next(codes, "") for _ in range(3 if kind == "2" else 1))
            colour = ";".join([code, kind, *parts])
            if code == "38":
                style = style._replace(ink=colour)
            elif code == "48":
                style = style._replace(paper=colour)
            else:
                style = style._replace(rest=(*style.rest, colour))
        elif len(code) > 1 and code[-2] in "39" and ":" not in code:
            style = style._replace(ink=code)
        elif len(code) > 1 and code[-2] in "40" and ":" not in code:
            style = style._replace(paper=code)
        else:
            style = style._replace(rest=(*style.rest, code))
    return style


@lru_cache(1024)
def _change(on: _Style, style: _Style) -> str:
    if on == style:
        return ""
    if style == _PLAIN:
        return RESET
    if style.rest[: len(on.rest)] == on.rest:
        codes = list(style.rest[len(on.rest) :])
    else:
        codes, on = ["0", *style.rest], _PLAIN
    if style.ink != on.ink:
        codes.append(style.ink)
    if style.paper != on.paper:
        codes.append(style.paper)
    return f"\x1b[{';'.join(codes)}m"
