"""Which emoji become things that the model can draw, as things.toml lists them."""

from __future__ import annotations

import tomllib
from pathlib import Path

_LISTS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))

WHOLE_GROUPS: frozenset[int] = frozenset(_LISTS["whole_groups"])
LEFT_OUT: frozenset[str] = frozenset(_LISTS["left_out"])
ALSO: frozenset[str] = frozenset(_LISTS["also"])
AND_ALSO: frozenset[str] = frozenset(_LISTS["and_also"])
#: Everyday words for things whose emoji name is longer or rarer, by emoji name.
ALIASES: dict[str, tuple[str, ...]] = {
    name: tuple(words) for name, words in _LISTS["aliases"].items()
}

#: Words that no caption uses, and the names of the things that answer to them.
HELD_OUT_SYNONYMS: dict[str, tuple[str, ...]] = {
    word: tuple(names) for word, names in _LISTS["held_out_synonyms"].items()
}


def is_chosen(label: str, group: int | None) -> bool:
    """Whether the emoji named `label` in emojibase's `group` is one of the model's things."""
    if label in ALSO or label in AND_ALSO:
        return True
    return group in WHOLE_GROUPS and label not in LEFT_OUT


def standing(label: str, group: int | None) -> int:
    """Where an emoji stands: the first chosen, those chosen since, and last those left out.

    Held-out combinations follow the order of the pictures, so that what is chosen later leaves
    the earlier ones theirs.
    """
    if label in AND_ALSO:
        return 1
    return 0 if is_chosen(label, group) else 2
