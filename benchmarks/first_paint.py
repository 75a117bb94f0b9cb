"""From the start of the process to the first painted screen: sdtui against a bare Textual app.

Both run on a pseudo-terminal of 120 by 40 cells, alternately, each time as a new process; sdtui
finds no engine running and so starts one, as it does for a user. Both have their bytecode, as
after an installation or a first start. The figure is the ratio of the medians, and the exit code
says whether it is within the limit.
"""

from __future__ import annotations

import argparse
import asyncio
import compileall
import contextlib
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks._pseudo_terminal import start
from sdtui.engine.client import stop_engine

PACKAGE = Path(__file__).parent.parent / "sdtui"
LIMIT = 1.3
BARE_APP = """
from textual.app import App, ComposeResult
from textual.widgets import Static

class Bare(App[None]):
    def compose(self) -> ComposeResult:
        yield Static("painted")

Bare().run()
"""
BARE = ([sys.executable, "-c", BARE_APP], b"painted")
SDTUI = ([sys.executable, "-m", "sdtui"], b"guidance")


def seconds_to_paint(command: list[str], mark: bytes) -> float:
    """Seconds from starting `command` until `mark` is among what it has written."""
    started = time.perf_counter()
    process, ours = start(command, 120, 40)
    written = b""
    while mark not in written:
        written += os.read(ours, 1 << 16)
    seconds = time.perf_counter() - started
    os.write(ours, b"\x11")
    # Linux reports the other side's end as an error.
    with contextlib.suppress(OSError):
        while os.read(ours, 1 << 16):
            pass
    process.wait()
    os.close(ours)
    return seconds


def main() -> int:
    """Run the pairs and print both medians, their ratio and the verdict."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15, help="pairs of starts (default 15)")
    runs = parser.parse_args().runs
    compileall.compile_dir(PACKAGE, quiet=1)
    bare, sdtui = [], []
    for _ in range(runs):
        bare.append(seconds_to_paint(*BARE))
        with tempfile.TemporaryDirectory(prefix="sdtui-") as home:
            os.environ["SDTUI_HOME"] = home
            sdtui.append(seconds_to_paint(*SDTUI))
            asyncio.run(stop_engine(force=True))
    ratio = statistics.median(sdtui) / statistics.median(bare)
    for name, seconds in (("bare Textual app", bare), ("sdtui", sdtui)):
        low, middle, high = min(seconds), statistics.median(seconds), max(seconds)
        print(f"{name:<18}median {middle:.3f} s   from {low:.3f} to {high:.3f}   {runs} starts")
    verdict = "pass" if ratio <= LIMIT else "FAIL"
    print(f"ratio {ratio:.2f}, at most {LIMIT}: {verdict}")
    return int(ratio > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
