"""What a program has left a terminal in, from the raw bytes that it wrote."""

from __future__ import annotations

import re

_SWITCHED = re.compile(rb"\x1b\[\?([\d;]+)([hl])")
_KITTY_KEYS = re.compile(rb"\x1b\[(?:>\d*|<\d*)u")
_STYLES = re.compile(rb"\x1b\[([\d;:]*)m")

_ON_FROM_THE_START = {"7", "25"}
"""Line wrap, and the cursor that is seen."""


def left_behind(output: bytes) -> list[str]:
    """Every mode and style that is not as it was before `output`, in words."""
    switched = {}
    for modes, switch in _SWITCHED.findall(output):
        for mode in modes.decode().split(";"):
            switched[mode] = switch == b"h"
    wrong = [
        f"mode {mode} is {'on' if is_on else 'off'}"
        for mode, is_on in sorted(switched.items())
        if is_on != (mode in _ON_FROM_THE_START)
    ]
    depth = 0
    for sequence in _KITTY_KEYS.findall(output):
        # A terminal ignores a pop from the empty stack.
        depth = depth + 1 if b">" in sequence else max(depth - 1, 0)
    if depth:
        wrong.append(f"{depth} keyboard modes are left on the stack")
    styles = _STYLES.findall(output)
    if styles and styles[-1] not in (b"", b"0"):
        wrong.append(f"text is still styled {styles[-1].decode()}")
    return wrong
