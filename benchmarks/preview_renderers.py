"""What a live preview costs: our half blocks against rich-pixels in a Static, in one run.

    python benchmarks/preview_renderers.py [--columns 64] [--rows 32]

Each renderer runs in a Textual app of its own on a real pty and shows the same 24 frames, a
picture that sharpens as an x0 estimate does, one a paint. Counted are the app's CPU time (all
threads) and the bytes that it writes to the terminal; the first round warms caches and does not
count. textual-image takes part where it is installed.
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
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks._pseudo_terminal import start

FRAMES = 24
SIDE = 64
ROUNDS = 3
PEERS = {"half blocks": None, "rich-pixels": "rich_pixels", "textual-image": "textual_image"}


def frames() -> list[bytes]:
    """24 pictures of 64×64 in RGB8, the same in every run."""
    import numpy as np
    from PIL import Image, ImageFilter

    random = np.random.default_rng(0)
    picture = np.zeros((SIDE, SIDE, 3))
    for octave in range(6):
        cells = 2 ** (octave + 1)
        field = random.uniform(-1, 1, (cells, cells, 3))
        layer = [
            np.asarray(
                Image.fromarray(field[:, :, channel].astype("float32")).resize(
                    (SIDE, SIDE), Image.Resampling.BICUBIC
                )
            )
            for channel in range(3)
        ]
        picture += np.stack(layer, axis=-1) / 1.6**octave
    spread = picture.max() - picture.min()
    clean = Image.fromarray(((picture - picture.min()) / spread * 255).astype("uint8"))
    return [
        clean.filter(ImageFilter.GaussianBlur(8.0 * (1 - step / (FRAMES - 1)) ** 2)).tobytes()
        for step in range(FRAMES)
    ]


def show(peer: str, report: Path) -> None:
    """The child: an app that shows the frames and writes what they cost."""
    if peer == "textual-image":
        from textual_image.widget import HalfcellImage
    from PIL import Image
    from textual.app import App, ComposeResult
    from textual.widget import Widget
    from textual.widgets import Static

    from sdtui.tui.renderers import Frame
    from sdtui.tui.widgets.pixel_canvas import PixelCanvas

    pictures = frames()

    class Peer(App[None]):
        """Shows one frame a paint."""

        CSS = "Static, HalfcellImage { width: 100%; height: 100%; }"

        def compose(self) -> ComposeResult:
            if peer == "half blocks":
                self.canvas: Widget = PixelCanvas()
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

            self._driver.write = counted
            self.set_timer(0.5, self.next_frame)

        def next_frame(self) -> None:
            self.marks.append((time.process_time() * 1000, self.written))
            if len(self.marks) > FRAMES * (ROUNDS + 1):
                report.write_text(json.dumps(self.marks[FRAMES:]))
                self.exit()
                return
            self.awaited = True
            self.paint(pictures[(len(self.marks) - 1) % FRAMES])

        def _display(self, screen: Any, renderable: Any) -> None:
            before = self.written
            super()._display(screen, renderable)
            if self.awaited and self.written > before:
                self.awaited = False
                self.set_timer(0.03, self.next_frame)

        def paint(self, rgb: bytes) -> None:
            canvas: Any = self.canvas
            if peer == "half blocks":
                canvas.show(Frame(rgb, SIDE, SIDE), *self.size)
                return
            image = Image.frombytes("RGB", (SIDE, SIDE), rgb)
            if peer == "rich-pixels":
                from rich_pixels import Pixels

                canvas.update(Pixels.from_image(image, resize=(self.size[0], self.size[1] * 2)))
            else:
                canvas.image = image

    Peer().run()


def measure(peer: str, columns: int, rows: int) -> tuple[float, float]:
    """Median CPU milliseconds and bytes a frame of one renderer."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, __file__, "--child", peer, "--report", str(report)]
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


def main() -> None:
    """Measure everyone and print the ratios to ours."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--columns", type=int, default=64)
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--report", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        show(arguments.child, arguments.report)
        return
    print(
        f"{FRAMES} frames of {SIDE}×{SIDE} in {arguments.columns}×{arguments.rows} cells, medians"
    )
    print(f"{'renderer':<16}{'CPU ms':>9}{'bytes':>10}{'CPU':>8}{'bytes':>8}")
    ours: tuple[float, float] | None = None
    for peer, package in PEERS.items():
        if package and importlib.util.find_spec(package) is None:
            print(f"{peer:<16} not installed")
            continue
        cpu, size = measure(peer, arguments.columns, arguments.rows)
        ours = ours or (cpu, size)
        print(f"{peer:<16}{cpu:>9.1f}{size:>10,.0f}{cpu / ours[0]:>7.1f}×{size / ours[1]:>7.2f}×")


if __name__ == "__main__":
    main()
