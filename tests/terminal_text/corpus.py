"""Strings that want more from a terminal than to be shown."""

from __future__ import annotations

CANARY = "7777"
"""Stands in each control sequence below, and in none that sdtui writes."""

CONTROL_SEQUENCES = (
    f"\x1b[{CANARY};{CANARY}H",  # moves the cursor
    f"\x1b[{CANARY}m\x1b[?{CANARY}h\x1b[>{CANARY}u",  # style, mode, keyboard
    f"\x1b]0;{CANARY}\x07",  # window title
    f"\x1b]8;;http://{CANARY}\x1b\\link\x1b]8;;\x1b\\",  # hyperlink
    f"\x1b]52;c;{CANARY}\x07",  # clipboard
    f"\x1bP{CANARY}q\x1b\\",  # DCS
    f"\x1b_G{CANARY}\x1b\\",  # APC
    f"\x1b^{CANARY}\x1b\\",  # PM
    f"\x1bX{CANARY}\x1b\\",  # SOS
    f"\x9b{CANARY}H\x9d52;c;{CANARY}\x9c\x90{CANARY}\x9c",  # the same in eight bits
    f"\x1b[201~{CANARY}\x1b[200~",  # the end of a bracketed paste
    f"\x1bc\x0e\x05\x08\x7f{CANARY}\x1b(0",  # reset, other alphabets, an answer
)
MARKUP = (
    "[/]",
    "[red]red[/red]",
    "[@click=app.quit]quit[/]",
    "[b]x[/i] [cat|dog] [/some/path]",
    ":smile: $accent {x} %s \\[",
)
TEXT = (
    "gnp.\u202eexe.\u2066x",  # direction overridden and isolated
    "pay\u200bpal\u2060\ufeff\u2028next",  # invisible
    "tag\U000e0068\U000e0069\U000e007f",  # text in tags
    "z" + "\u0301\u0489" * 40,  # a tower of marks
    "nul\x00nul",
    "very long " * 60,
)
HOSTILE = (*CONTROL_SEQUENCES, *MARKUP, *TEXT)


def harmless(text: str) -> str:
    """Text of the same shape that asks for nothing."""
    return "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in text)
