"""The page that the lesson is told on: the forms of its lines, and how they fit its width."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rich.text import Text

from sdtui.text import clean

_LABEL_WIDTH = 11


@dataclass(frozen=True)
class LessonPage:
    """Makes lines that fit a `width`: figures in columns, sentences dim.

    `styles` holds the roles label, value, unit, explanation, heading, accent and error.
    `explanations` says whether the sentences are wanted.
    """

    width: int
    styles: Mapping[str, str]
    explanations: bool = True

    def line(self, *parts: tuple[str, str]) -> Text:
        """Words, each in a role's style, cut where the page ends."""
        line = Text(no_wrap=True)
        for words, role in parts:
            line.append(words, self.styles[role])
        line.truncate(self.width, overflow="ellipsis")
        return line

    def heading(self, number: int, name: str, figure: str) -> Text:
        """A stage's number and name, and its figure at the right edge."""
        room = max(self.width - len(name) - 2, 0)
        return self.line(
            (f"{number} ", "accent"), (name, "heading"), (f"{clean(figure):>{room}}", "unit")
        )

    def row(self, label: str, value: str, unit: str = "") -> Text:
        """A figure with its name and unit."""
        return self.line(
            (f"  {label:<{_LABEL_WIDTH}}", "label"),
            (clean(value), "value"),
            (f"  {clean(unit)}" if unit else "", "unit"),
        )

    def note(self, words: str) -> Text:
        """Something that the user did, or should see."""
        return self.line((f"  {words}", "accent"))

    def explain(self, sentence: str, *, indent: int = 2, gap: bool = False) -> list[Text]:
        """A sentence, if it is wanted, and a `gap` behind it, which is there in any case."""
        lines: list[Text] = []
        if self.explanations:
            lines += self.wrapped(" " * indent + sentence, "explanation")
        return [*lines, Text()] if gap else lines

    def wrapped(self, words: str, role: str) -> list[Text]:
        """`words` in as many lines as they need, all indented like the first."""
        indent = len(words) - len(words.lstrip())
        room = max(self.width - indent, 1)
        return [self.line((" " * indent + line, role)) for line in _fold(words.strip(), room)]

    def columns(
        self, step: str, timestep: str, sigma: str, std: str, norm: str, ms: str, style: str
    ) -> Text:
        """A step's figures, or their names, in columns that give way where it is narrow."""
        if self.width < 40:
            step = step.partition("/")[0]
        wide = 7 if self.width >= 40 else 4
        return self.line(
            (f"{step:>{wide}}", "unit"),
            (f"{timestep:>5}", style),
            (f"{sigma:>7}", style),
            (f"{std:>7}", style),
            (f"{norm:>7}", style),
            (f"{ms:>6}", "unit"),
        )


def _fold(words: str, width: int) -> list[str]:
    """Break at spaces where there are any, and anywhere in a word that is too long."""
    from rich.cells import cell_len, chop_cells

    lines: list[str] = []
    line = ""
    for word in words.split(" "):
        longer = f"{line} {word}" if line else word
        if cell_len(longer) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        *full, line = chop_cells(word, width) or [""]
        lines += full
    return [*lines, line]
