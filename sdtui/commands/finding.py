"""What `sdtui doctor` says of one thing."""

from __future__ import annotations

from dataclasses import dataclass

from sdtui.errors import SdtuiError

OK, WARN, BROKEN = "ok", "warn", "broken"
GIGABYTE = 10**9


@dataclass(frozen=True)
class Finding:
    """One line of the report. `state` is ok, warn or broken; the last one fails the check."""

    name: str
    state: str
    value: str
    remedy: str = ""


def said(error: Exception) -> tuple[str, str]:
    """What an error says as a value and a remedy."""
    if isinstance(error, SdtuiError):
        return f"{error.title}. {error.message}".strip(), error.remedy
    return str(error), ""
