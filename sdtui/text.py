"""The one gate between foreign text and a terminal."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

_HIDDEN = (
    "\x00-\x1f\x7f-\x9f"  # C0, DEL, C1
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufeff\uffa0\ufff0-\ufffb\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"  # tags, and selectors without a base
    "\ud800-\udfff"  # lone surrogates
    "\U0010eeee"  # the placeholder of Kitty's pictures
    "\ufdd0-\ufdef"
    + "".join(chr(plane << 16 | 0xFFFE) + chr(plane << 16 | 0xFFFF) for plane in range(17))
)
"""What a terminal obeys or draws nothing for. Private and unassigned characters are not among it:
icon fonts use the first, newer emoji are the second to an older Python."""

_SYMBOL = "[\xa9\xae\u203c-\u3299\U0001f000-\U0001faff]"
_EMOJI = f"{_SYMBOL}[\U0001f3fb-\U0001f3ff]?\ufe0f?"
_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_JOINING_SCRIPTS = "\u0600-\u109f\u1780-\u18af\ufb50-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc"
_RIGHT_TO_LEFT = (
    "[\u0590-\u061b\u061d-\u08ff\ufb1d-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc"
    "\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
_DIRECTION_MARKS = "\u061c\u200e\u200f"
# Both are compiled when they are first used: the first paint does not wait for it.
_SUSPECT = (
    # Emoji that are joined into one, as few of them as any emoji needs.
    f"(?P<kept>{_EMOJI}(?:\u200d{_EMOJI}){{1,4}}"
    # The flags of regions are spelled in tags behind a black flag.
    "|\U0001f3f4[\U000e0020-\U000e007e]{1,7}\U000e007f"
    # One selector says how the character before it is drawn; more of them carry hidden text.
    f"|(?<=[^\\s{_SELECTORS}])[{_SELECTORS}]"
    # Persian, the scripts of India and those written without spaces are not spelled without these.
    f"|(?<=[{_JOINING_SCRIPTS}])[\u200b-\u200d])"
    f"|[{_SELECTORS}{_HIDDEN}]"
)
_TALLEST_STACK = 8
"""Marks over one character. No language needs more; hundreds paint over the lines above."""


def clean(text: str, *, multiline: bool = False, limit: int | None = None) -> str:
    """Foreign text made safe to print: what a terminal obeys or hides becomes visible.

    ESC, the other C0 controls and DEL are shown as Unicode control pictures. C1, overrides and
    embeddings of the writing direction, invisible characters, tags, lone surrogates, noncharacters,
    the Kitty image placeholder and the marks of a tower of more than eight are shown as their code
    points. So nothing that a terminal obeys passes and nothing is lost silently. What invisible
    characters are for stays: joined emoji, flags, variation selectors behind a character, joiners
    in the scripts that need them, and direction marks in text that is written from the right.

    A line break stays one where `multiline` is set and becomes a space elsewhere; a tab becomes a
    space. With a `limit` (in characters), a longer text ends in an ellipsis. Markup is not touched:
    callers show the result as `Text` or `Content`.
    """
    if limit is not None and len(text) > limit:
        text = text[: max(limit - 1, 0)] + "…"
    text = text.replace("\r\n", "\n").replace("\t", " ")
    if not multiline:
        return _pictured(text.replace("\n", " "), _named)
    return "\n".join(_pictured(line, _named) for line in text.split("\n"))


def clean_in_place(line: str) -> str:
    """As `clean`, with every picture one cell wide: each character keeps its place in the line.

    This is for text that is edited, where the cursor counts characters. What has no picture of its
    own is shown as U+FFFD, a tab as a space.
    """
    return _pictured(line.replace("\t", " "), _in_one_cell)


def _pictured(text: str, picture: Callable[[str], str]) -> str:
    """`text` with a picture of every character that must not reach a terminal."""
    if text.isascii() and text.isprintable():
        return text
    has_direction = re.search(_RIGHT_TO_LEFT, text) is not None

    def shown(match: re.Match[str]) -> str:
        found = match.group()
        is_mark = has_direction and found in _DIRECTION_MARKS
        return found if match["kept"] or is_mark else picture(found)

    return re.sub(_SUSPECT, shown, _levelled(text, picture))


def _levelled(text: str, picture: Callable[[str], str]) -> str:
    """`text` with a picture of every mark that stands higher than eight over its character."""
    height = 0
    parts = []
    for character in text:
        is_mark = unicodedata.category(character) in ("Mn", "Me")
        height = height + 1 if is_mark else 0
        parts.append(picture(character) if height > _TALLEST_STACK else character)
    return "".join(parts)


def _named(character: str) -> str:
    return _control_picture(character) or f"<U+{ord(character):04X}>"


def _in_one_cell(character: str) -> str:
    return _control_picture(character) or "\ufffd"


def _control_picture(character: str) -> str:
    """The picture that Unicode has of a control character, or nothing."""
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else ""
