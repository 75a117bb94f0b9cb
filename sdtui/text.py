"""The one gate between foreign text and a terminal."""

from __future__ import annotations

import unicodedata

_BIDI_CONTROLS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_KITTY_PLACEHOLDER = "\U0010eeee"


def _shown(character: str) -> str:
    """The harmless picture of one character, or the character itself."""
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if (
        0x80 <= code <= 0x9F
        or character in _BIDI_CONTROLS
        or character in "\ufeff\u2028\u2029"
        or character == _KITTY_PLACEHOLDER
        or unicodedata.category(character) == "Cs"
    ):
        return f"<U+{code:04X}>"
    return character


def clean(text: str, *, multiline: bool = False, limit: int | None = None) -> str:
    """Foreign text made safe to print: every control character becomes a visible picture.

    ESC, C0 and DEL are shown as Unicode control pictures, C1, bidirectional controls, lone
    surrogates and the Kitty image placeholder as their code points, so nothing that a terminal
    obeys passes and nothing is lost silently. A line break stays one where `multiline` is set and
    becomes a space elsewhere; a tab becomes a space. With a `limit` (in characters), a longer text
    ends in an ellipsis. Markup is not touched: callers show the result as `Text` or `Content`.
    """
    if limit is not None and len(text) > limit:
        text = text[: max(limit - 1, 0)] + "…"
    text = text.replace("\r\n", "\n").replace("\t", " ")
    text = text if multiline else text.replace("\n", " ")
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if character == "\n" else _shown(character) for character in text)
