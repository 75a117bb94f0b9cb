"""`sdtui doctor`: what this machine offers, and what to do about what it lacks."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from sdtui.commands import findings
from sdtui.commands.terminal import color_count, lacking_terminal
from sdtui.errors import SdtuiError
from sdtui.text import clean

_COLORS = {findings.OK: "32", findings.WARN: "33", findings.BROKEN: "31"}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> int:
    """Check this machine: torch, devices, memory, terminal, engine, history, folders, models."""
    found = []
    for check in findings.CHECKS:
        try:
            told = check()
        except SdtuiError as error:
            told = [findings.Finding(check.__name__, findings.BROKEN, *findings.said(error))]
        for finding in told:
            found.append(finding)
            if not as_json:
                _print(finding)
    if as_json:
        print(json.dumps([asdict(finding) for finding in found], indent=2))
    elif not lacking_terminal():
        from sdtui.commands.sample_pictures import print_samples
        from sdtui.commands.terminal_answers import ask_terminal

        print_samples(ask_terminal()[0])
    return int(any(finding.state == findings.BROKEN for finding in found))


def _print(finding: findings.Finding) -> None:
    state = f"{finding.state:<6}"
    if sys.stdout.isatty() and color_count(os.environ) > 2:
        state = f"\x1b[{_COLORS[finding.state]}m{state}\x1b[0m"
    print(f"{state} {clean(finding.name):<13} {clean(finding.value)}", flush=True)
    if finding.remedy:
        print(f"{'':21}{clean(finding.remedy)}", flush=True)
