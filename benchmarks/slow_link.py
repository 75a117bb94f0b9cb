"""Over a slow link: how late keys appear, what it costs the loop, and whether the picture comes.

    python benchmarks/slow_link.py [--keys 200] [--rounds 3]

A real sshd on the loopback, a real ssh client on a pty, and between them a link of a given rate,
latency and buffer (`tests/terminals/slow_link.py`). The bundled model draws picture after picture,
with the previews that the interface asks for, while ten keys a second go into the prompt, each a
character that stands nowhere else; measured is the time from writing a key to reading its echo.
Then the same job is drawn in turns with an interface over the slow link and with none, and a step's
time is the median over all steps; the worker has one thread, so that a core is left for what would
be another machine. The exit code says whether all limits hold.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import cycle, islice, pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.key_to_paint import (
    ALPHABET,
    COLUMNS,
    LINES,
    Pty,
    cancel_what_is_left,
    require_a_running_job,
)
from sdtui import paths
from sdtui.engine.client import EngineClient, stop_engine
from sdtui.params import GenerationParams
from sdtui.protocol.events import FINAL_EVENTS, JobSaved, StepCompleted
from tests.terminals.preview_pane import shows_exactly, shows_in_sixel
from tests.terminals.slow_link import SlowLink
from tests.terminals.ssh_server import IS_THERE, SshServer

KEYS_PER_SECOND = 10
LOOP_LIMIT = 1.01
PARAMS = GenerationParams(prompt="a red apple", seed=42, num_inference_steps=200)


@dataclass(frozen=True)
class Setting:
    """A link, and what has to hold over it."""

    rate: int
    latency: float
    buffer: int
    key_limit_ms: float

    def __str__(self) -> str:
        both_ways = 2000 * self.latency
        return f"{self.rate // 1000} kB/s, {both_ways:.0f} ms, {self.buffer // 1000} kB of buffer"


QUICKER = Setting(250_000, 0.0, 1_000_000, 450)
SLOWER = Setting(50_000, 0.075, 1_000_000, 1000)


@asynccontextmanager
async def interface(server: SshServer, link: SlowLink) -> AsyncIterator[Pty]:
    """`sdtui` over the link, ready."""
    app = Pty(server.interface(link.port))
    try:
        await app.wait_for(b"ready")
        yield app
    finally:
        await app.close()


async def draw(client: EngineClient, params: GenerationParams) -> list[float]:
    """Draw one picture; seconds from each completed step to the next."""
    job_id = await client.submit(params)
    stamps = []
    async for event in client.events():
        if getattr(event, "job_id", "") != job_id:
            continue
        if isinstance(event, StepCompleted):
            stamps.append(event.time)
        elif isinstance(event, FINAL_EVENTS):
            assert isinstance(event, JobSaved), event
            return [after - before for before, after in pairwise(stamps)]
    raise RuntimeError("the engine went away")


def newest_picture() -> Path:
    """The file of the picture that was saved last."""
    return max(paths.images_dir().rglob("*.png"))


async def is_shown(app: Pty) -> bool:
    """Whether the picture that was saved last comes to the screen."""
    for _ in range(20):
        await asyncio.sleep(1)
        if os.environ.get("SDTUI_RENDERER") == "sixel":
            is_there = shows_in_sixel(bytes(app.output), COLUMNS, LINES, newest_picture())
        else:
            is_there = shows_exactly(app.screen(), newest_picture())
        if is_there:
            return True
    return False


async def type_along(app: Pty, keys: int, client: EngineClient) -> list[float]:
    """Type so many keys while jobs run; how many milliseconds late each of them appeared."""
    started = time.perf_counter()
    for number, letter in enumerate(islice(cycle(ALPHABET), keys)):
        app.key(letter)
        await asyncio.sleep(max(started + (number + 1) / KEYS_PER_SECOND - time.perf_counter(), 0))
    require_a_running_job(client)
    await asyncio.sleep(10)
    return sorted(value * 1000 for value in app.latency.values())


async def measure_keys(server: SshServer, setting: Setting, keys: int) -> bool:
    """Print how late keys are while pictures are drawn; whether the limit holds."""
    client = await EngineClient.connect(start=True)
    await draw(client, PARAMS)
    link = SlowLink(server.port, rate=setting.rate, latency=setting.latency, buffer=setting.buffer)
    with link:
        async with interface(server, link) as app:
            jobs = [await client.submit(PARAMS) for _ in range(8)]
            started, carried = time.perf_counter(), link.carried
            latencies = await type_along(app, keys, client)
            rate = (link.carried - carried) / (time.perf_counter() - started)
            await cancel_what_is_left(client, jobs)
    await client.close()
    lost = keys - len(latencies)
    p50, p99 = statistics.median(latencies), latencies[-(len(latencies) // 100) - 1]
    holds = p99 <= setting.key_limit_ms and not lost
    print(f"{setting}: {keys} keys, {lost} without an echo, {rate / 1000:.0f} kB/s")
    print(f"  key to echo   p50 {p50:.0f} ms   p99 {p99:.0f} ms   worst {latencies[-1]:.0f} ms")
    print(f"  p99 at most {setting.key_limit_ms:.0f} ms: {'pass' if holds else 'FAIL'}")
    return holds


async def measure_loop(server: SshServer, setting: Setting, rounds: int) -> bool:
    """Print a step's time with an interface over the link and without; whether the limit holds."""
    client = await EngineClient.connect(start=True)
    await draw(client, PARAMS)
    alone: list[float] = []
    watched: list[float] = []
    shown = 0
    for _ in range(rounds):
        alone += await draw(client, PARAMS)
        link = SlowLink(
            server.port, rate=setting.rate, latency=setting.latency, buffer=setting.buffer
        )
        with link:
            async with interface(server, link) as app:
                watched += await draw(client, PARAMS)
                shown += await is_shown(app)
    await client.close()
    ratio = statistics.median(watched) / statistics.median(alone)
    holds = ratio <= LOOP_LIMIT and shown == rounds
    print(f"{setting}: a step {statistics.median(watched) * 1000:.2f} ms, ", end="")
    print(f"with no interface {statistics.median(alone) * 1000:.2f} ms")
    print(
        f"  ratio {ratio:.3f}, at most {LOOP_LIMIT}; {shown} of {rounds} pictures shown: ",
        end="",
    )
    print("pass" if holds else "FAIL")
    return holds


def main() -> int:
    """Measure in a home of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=200, help="how many keys (default 200)")
    parser.add_argument("--rounds", type=int, default=3, help="turns with and without an interface")
    arguments = parser.parse_args()
    if not IS_THERE:
        print("needs sshd, ssh and ssh-keygen", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="sdtui-") as home:
        os.environ |= {"SDTUI_HOME": home, "COLORTERM": "truecolor", "OMP_NUM_THREADS": "1"}
        return int(not asyncio.run(measure(Path(home), arguments.keys, arguments.rounds)))


async def measure(home: Path, keys: int, rounds: int) -> bool:
    """Everything, one after the other."""
    with SshServer(home) as server:
        try:
            return all(
                [
                    await measure_keys(server, QUICKER, keys),
                    await measure_keys(server, SLOWER, keys),
                    await measure_loop(server, SLOWER, rounds),
                ]
            )
        finally:
            await stop_engine(force=True)


if __name__ == "__main__":
    sys.exit(main())
