"""How commands speak: results on stdout, what is only for eyes on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from sdtui.errors import GenerationError, SdtuiError
from sdtui.text import clean

if TYPE_CHECKING:
    # The way into the interface comes by here, and needs no wire before its first paint.
    from sdtui.protocol.events import Event


class Reporter(Protocol):
    """Tells of a job while it runs. A context manager, so that the terminal is left tidy."""

    def show(self, event: Event) -> None:
        """Tell of one event."""

    def __enter__(self) -> Reporter: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class EventLines:
    """Every event as one line of JSON on stdout, in ASCII, without the bytes of pictures.

    JSON knows neither NaN nor infinity, which overflowing latents have: they are null. A status
    that says what the last one said is left out.
    """

    def __init__(self) -> None:
        self._status: dict[str, Any] = {}

    def show(self, event: Event) -> None:
        """Print one event at once."""
        import json

        import msgspec

        record = msgspec.to_builtins(event, builtin_types=(bytes,))
        for pixels in ("rgb", "latents"):
            record.pop(pixels, None)
        if record["type"] == "EngineStatus":
            said = {key: value for key, value in record.items() if key != "time"}
            if said == self._status:
                return
            self._status = said
        print(json.dumps(msgspec.json.decode(msgspec.json.encode(record))), flush=True)

    def __enter__(self) -> EventLines:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is left open."""


def print_path(path: Path) -> None:
    """A path on stdout: as it can be read on a terminal, byte for byte anywhere else."""
    if sys.stdout.isatty():
        print(clean(str(path)))
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(os.fsencode(path) + b"\n")


def note(text: str) -> None:
    """A line on stderr that a person may want to know."""
    print(f"sdtui: {clean(text)}", file=sys.stderr)


def print_error(error: SdtuiError) -> None:
    """What happened, where, and what to do, on stderr, a line each."""
    note(error.title)
    for part in (error.message, error.remedy):
        for line in clean(part, multiline=True).splitlines():
            print(f"  {line}", file=sys.stderr)


def raise_last(errors: Sequence[GenerationError], count: int) -> None:
    """Raise the last of what kept some of `count` pictures from being made, and print the others.

    What is said of several pictures is said once.
    """
    if not errors:
        return
    *others, last = {str(error): error for error in errors}.values()
    for error in others:
        print_error(error)
    if count > 1:
        note(f"{len(errors)} of {count} pictures could not be made")
    raise last
