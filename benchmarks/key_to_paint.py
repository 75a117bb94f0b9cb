"""How late a typed key appears while pictures form: the real app on a real pty, engine and all.

    python benchmarks/key_to_paint.py [--keys 200] [--idle]

The bundled model draws picture after picture, with the previews that the interface asks for, until
the last key is typed. Twenty keys a second go into the prompt, each a character that stands nowhere
else, so that the first of its bytes on the pty is its echo. Measured is the time from writing a key
to reading its echo; the terminal answers the app's questions as a real one does. `--idle` measures
the same with nothing running.
The exit code says whether the 99th percentile is within the limit.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import pyte

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks._pseudo_terminal import ANSWERS, QUESTION, SDTUI, start
from sdtui.engine.client import EngineClient
from sdtui.errors import ParameterError
from sdtui.params import GenerationParams
from sdtui.protocol.events import StepCompleted

LIMIT_MS = 50.0
KEYS_PER_SECOND = 20
COLUMNS, LINES = 160, 48
STEPS = 200
ALPHABET = [chr(code) for code in range(0x0400, 0x0500)] + [chr(c) for c in range(0x1E00, 0x1F00)]
"""Letters that the interface never shows by itself."""


class Pty:
    """A program on a pty. `latency` maps each letter typed to how late its echo was read.

    `frames` counts the questions behind previews.
    """

    def __init__(
        self, command: Sequence[str] = SDTUI, columns: int = COLUMNS, lines: int = LINES
    ) -> None:
        self.process, self._ours = start(command, columns, lines)
        os.set_blocking(self._ours, False)
        self.received = 0
        self.frames = 0
        self.output = bytearray()
        self.sent_at: dict[bytes, float] = {}
        self.latency: dict[bytes, float] = {}
        self._tail = b""
        asyncio.get_running_loop().add_reader(self._ours, self._read)

    def key(self, letter: str) -> None:
        """Type one letter."""
        self.sent_at[letter.encode()] = time.perf_counter()
        os.write(self._ours, letter.encode())

    async def wait_for(self, text: bytes) -> None:
        """Until `text` has come by."""
        self.sent_at[text] = time.perf_counter()
        while text not in self.latency:
            if self.process.poll() is not None:
                raise SystemExit(f"sdtui ended with {self.process.returncode}")
            await asyncio.sleep(0.02)
        del self.latency[text]

    def screen(self) -> pyte.Screen:
        """What is to be seen now."""
        screen = pyte.Screen(COLUMNS, LINES)
        pyte.ByteStream(screen).feed(bytes(self.output))
        return screen

    def _read(self) -> None:
        try:
            data = os.read(self._ours, 1 << 20)
        except OSError:
            asyncio.get_running_loop().remove_reader(self._ours)
            return
        now = time.perf_counter()
        self.received += len(data)
        self.output += data
        window = self._tail + data
        for text in [text for text in self.sent_at if text in window]:
            self.latency[text] = now - self.sent_at.pop(text)
        self.frames += window.count(QUESTION) - self._tail.count(QUESTION)
        for question, answer in ANSWERS.items():
            for _ in range(window.count(question) - self._tail.count(question)):
                os.write(self._ours, answer)
        self._tail = window[-16:]

    async def close(self) -> None:
        """End the app, reading what it says to the end."""
        self.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(self.process.wait, 20)
        asyncio.get_running_loop().remove_reader(self._ours)
        os.close(self._ours)


class StepCount:
    """How many steps the engine has told of."""

    def __init__(self) -> None:
        self.steps = 0

    async def follow(self, client: EngineClient) -> None:
        """Count to the end."""
        async for event in client.events():
            self.steps += isinstance(event, StepCompleted)


def require_a_running_job(client: EngineClient) -> None:
    """What is measured with nothing running says nothing."""
    assert client.status.running_job_id, "the jobs ended before the last key was typed"


async def cancel_what_is_left(client: EngineClient, jobs: Iterable[str]) -> None:
    """Cancel those of the jobs that have not ended meanwhile."""
    for job in jobs:
        with suppress(ParameterError):
            await client.cancel(job)


async def measure(keys: int, idle: bool) -> bool:
    """Type, measure and print; whether the limit holds."""
    client = await EngineClient.connect(start=True)
    count = StepCount()
    counting = asyncio.create_task(count.follow(client))
    app = Pty()
    try:
        await app.wait_for(b"ready")
        jobs: list[str] = []
        if not idle:
            params = GenerationParams(prompt="a red apple", num_inference_steps=STEPS)
            jobs = [await client.submit(params) for _ in range(8)]
            while count.steps < 5:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        started, steps, received = time.perf_counter(), count.steps, app.received
        for number in range(keys):
            app.key(ALPHABET[number])
            await asyncio.sleep(
                max(started + (number + 1) / KEYS_PER_SECOND - time.perf_counter(), 0)
            )
        if not idle:
            require_a_running_job(client)
        await asyncio.sleep(1)
        seconds = time.perf_counter() - started
        steps, received = count.steps - steps, app.received - received
        await cancel_what_is_left(client, jobs)
    finally:
        await app.close()
        await client.shutdown(force=True)
        counting.cancel()
    latencies = sorted(value * 1000 for value in app.latency.values())
    lost = keys - len(latencies)
    p50, p99 = statistics.median(latencies), latencies[-(len(latencies) // 100) - 1]
    holds = p99 <= LIMIT_MS and not lost
    print(f"{keys} keys, {lost} without an echo; {COLUMNS}×{LINES} cells")
    print(
        f"meanwhile {steps / seconds:.1f} steps/s, {received / seconds / 1000:.0f} kB/s to the pty"
    )
    print(f"key to paint   p50 {p50:.1f} ms   p99 {p99:.1f} ms   worst {latencies[-1]:.1f} ms")
    print(f"p99 at most {LIMIT_MS:.0f} ms: {'pass' if holds else 'FAIL'}")
    return holds


def main() -> int:
    """Measure in a home of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=200, help="how many keys (default 200)")
    parser.add_argument("--idle", action="store_true", help="with nothing running")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sdtui-") as home:
        os.environ["SDTUI_HOME"] = home
        return int(not asyncio.run(measure(min(arguments.keys, len(ALPHABET)), arguments.idle)))


if __name__ == "__main__":
    sys.exit(main())
