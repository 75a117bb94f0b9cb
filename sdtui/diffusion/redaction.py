"""Keep the hub's tokens out of everything that people read or keep."""

from __future__ import annotations

import contextlib
import functools
import os
import re
from pathlib import Path

REDACTED = "[redacted]"

_SHAPES = re.compile(r"hf_[A-Za-z0-9]{8,}|(?<=[Bb]earer )\S+|(?<=://)[^/\s@]+(?=@)")
"""What a token of the hub, a header's credentials and those in an address look like."""


def redact(text: str) -> str:
    """`text` without the token that this process sends to the hub, or what looks like one.

    A server may send back whatever it was sent, in a message that ends up in an error.
    """
    for token in _tokens():
        text = text.replace(token, REDACTED)
    return _SHAPES.sub(REDACTED, text)


@functools.cache
def _tokens() -> tuple[str, ...]:
    """The tokens at hand, from where the hub's library takes them."""
    from huggingface_hub import constants

    found = [os.environ.get(name, "") for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")]
    # There is no such file where nobody is logged in.
    with contextlib.suppress(OSError, ValueError):
        found.append(Path(constants.HF_TOKEN_PATH).read_text(encoding="utf-8"))
    return tuple(token.strip() for token in found if token.strip())
