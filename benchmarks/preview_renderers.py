"""What a live preview costs: our renderers against rich-pixels and textual-image, in one run.

    python benchmarks/preview_renderers.py [--columns 64] [--rows 32]

Each renderer runs in a Textual app of its own on a real pty and shows the same 25 frames, the x0
estimates of a picture that the bundled model drew (`data/x0_*.png`), one a paint. Counted are the
app's CPU time (all threads) and the bytes that it writes to the terminal; the first round warms
caches and does not count. Ratios are to rich-pixels in a `Static`. textual-image takes part where
it is installed. The exit code says whether every goal is met on every sequence.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from sdtui.tui.renderers import Renderer

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks._pseudo_terminal import start

SEQUENCES = sorted((Path(__file__).parent / "data").glob("x0_*.png"))
ROUNDS = 3
CELL = (10, 20)
OURS = ("half", "quadrant", "sextant", "kitty", "sixel")
PEERS = {"rich-pixels": "rich_pixels", "textual-image": "textual_image"}
GOALS = {"half": (0.15, 0.10), "kitty": (0.12, None)}
"""Bytes and CPU against rich-pixels."""


def frames(path: Path) -> list[Image.Image]:
    """A sequence, frame by frame."""
    with Image.open(path) as sequence:
        side, height = sequence.size
        return [sequence.crop((0, y, side, y + side)) for y in range(0, height, side)]


def renderer(name: str) -> Renderer:
    """One of ours in 24-bit colour, for a terminal with cells of `CELL` pixels."""
    from sdtui.tui.renderers.half_blocks import HalfBlocks
    from sdtui.tui.renderers.kitty import Kitty
    from sdtui.tui.renderers.quadrants import Quadrants
    from sdtui.tui.renderers.sextants import Sextants
    from sdtui.tui.renderers.sixel import Sixel

    match name:
        case "kitty":
            return Kitty(CELL)
        case "sixel":
            return Sixel(CELL)
        case "quadrant":
            return Quadrants()
        case "sextant":
            return Sextants()
        case _:
            return HalfBlocks()


def show(peer: str, sequence: Path, report: Path) -> None:
    """The child: an app that shows the frames and writes what they cost."""
    if peer == "textual-image":
        from textual_image.widget import HalfcellImage
    from textual.app import App, ComposeResult
    from textual.widget import Widget
    from textual.widgets import Static

    from sdtui.tui.renderers import Frame
    from sdtui.tui.widgets.pixel_canvas import PixelCanvas

    pictures = frames(sequence)

    class Peer(App[None]):
        """Shows one frame a paint."""

        CSS = "Static, HalfcellImage { width: 100%; height: 100%; }"

        def compose(self) -> ComposeResult:
            if peer in OURS:
                self.canvas: Widget = PixelCanvas(lambda widget: renderer(peer))
            elif peer == "rich-pixels":
                self.canvas = Static()
            else:
                self.canvas = HalfcellImage()
            yield self.canvas

        def on_mount(self) -> None:
            self.marks: list[tuple[float, int]] = []
            self.written = 0
            self.awaited = False
            write = self._driver.write

            def counted(data: str) -> None:
                self.written += len(data.encode())
                write(data)
                if self.awaited:
                    # Once for the frame, whatever it is written in.
                    self.awaited = False
                    self.set_timer(0.05, self.next_frame)

            self._driver.write = counted
            self.set_timer(0.5, self.next_frame)

        def next_frame(self) -> None:
            self.marks.append((time.process_time() * 1000, self.written))
            if len(self.marks) > len(pictures) * (ROUNDS + 1):
                report.write_text(json.dumps(self.marks[len(pictures) :]))
                self.exit()
                return
            self.awaited = True
            self.paint(pictures[(len(self.marks) - 1) % len(pictures)])

        def paint(self, image: Image.Image) -> None:
            canvas: Any = self.canvas
            if peer in OURS:
                frame = Frame(image.tobytes(), *image.size)
                canvas.show(frame, *self.size, exact=False)
            elif peer == "rich-pixels":
                from rich_pixels import Pixels

                canvas.update(Pixels.from_image(image, resize=(self.size[0], self.size[1] * 2)))
            else:
                canvas.image = image

    Peer().run()


def measure(peer: str, sequence: Path, columns: int, rows: int) -> tuple[float, float]:
    """Median CPU milliseconds and bytes a frame of one renderer."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        child = ["--child", peer, "--sequence", str(sequence), "--report", str(report)]
        command = [sys.executable, __file__, *child]
        process, ours = start(command, columns, rows)
        drain = threading.Thread(target=_read_all, args=(ours,), daemon=True)
        drain.start()
        process.wait(timeout=300)
        drain.join()
        os.close(ours)
        if not report.exists():
            raise SystemExit(f"{peer} ended without a report")
        marks = json.loads(report.read_text())
    steps = [(after[0] - before[0], after[1] - before[1]) for before, after in pairwise(marks)]
    costs, sizes = zip(*steps, strict=True)
    return statistics.median(costs), statistics.median(sizes)


def _read_all(fd: int) -> None:
    try:
        while os.read(fd, 1 << 16):
            pass
    except OSError:
        return


def compare(sequence: Path, columns: int, rows: int) -> bool:
    """Measure everyone on one sequence and print the ratios; whether the goals are met."""
    print(f"{sequence.stem}: 25 frames of 64×64 in {columns}×{rows} cells, medians of a frame")
    print(f"{'renderer':<16}{'CPU ms':>9}{'bytes':>10}{'CPU':>8}{'bytes':>8}  goals")
    peer: tuple[float, float] | None = None
    all_met = True
    for name in (*PEERS, *OURS):
        package = PEERS.get(name)
        if package and importlib.util.find_spec(package) is None:
            print(f"{name:<16} not installed")
            continue
        cpu, size = measure(name, sequence, columns, rows)
        peer = peer or (cpu, size)
        ratios = size / peer[1], cpu / peer[0]
        goals = []
        for what, ratio, goal in zip(("bytes", "CPU"), ratios, GOALS.get(name, ()), strict=False):
            if goal is not None:
                met = ratio <= goal
                all_met = all_met and met
                goals.append(f"{what} ≤ {goal:.0%}: {'pass' if met else 'FAIL'}")
        shown = f"{ratios[1]:>8.1%}{ratios[0]:>8.1%}"
        print(f"{name:<16}{cpu:>9.1f}{size:>10,.0f}{shown}  {', '.join(goals)}")
    return all_met


def main() -> int:
    """Compare on every sequence."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--columns", type=int, default=64)
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--sequence", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--report", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        show(arguments.child, arguments.sequence, arguments.report)
        return 0
    met = [compare(sequence, arguments.columns, arguments.rows) for sequence in SEQUENCES]
    return int(not all(met))


if __name__ == "__main__":
    sys.exit(main())
