"""The real application on a fake engine, driven by Pilot."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from unittest.mock import patch

from textual.pilot import Pilot

from sdtui.params import GenerationParams
from sdtui.tui.app import SdtuiApp
from sdtui.tui.screens.main import MainScreen
from tests.tui.fake_engine import FakeEngineClient

_TURNS = 400
"""More turns of the event loop than any of these runs needs; only a hanging one meets it."""


def params(**changes: object) -> GenerationParams:
    """A red apple with a fixed seed."""
    values: dict[str, object] = {"prompt": "a red apple", "seed": 42}
    return GenerationParams(**(values | changes))  # type: ignore[arg-type]


async def press(pilot: Pilot[None], *keys: str) -> None:
    """Press keys one after the other, and wait until what they ask for is done.

    Behind each key Textual waits until the process idles, twice; it need not look for long.
    """
    with patch.multiple("textual._wait", SLEEP_GRANULARITY=0.005, SLEEP_IDLE=0.0005):
        await pilot.press(*keys)
    await pilot.pause()


@dataclass
class Stage:
    """The running application, its engine, and the hand that drives it."""

    app: SdtuiApp
    engine: FakeEngineClient
    pilot: Pilot[None]

    @property
    def main(self) -> MainScreen:
        """The main screen."""
        return self.app.main

    @property
    def text(self) -> str:
        """What the screen shows, line by line."""
        lines = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in lines)

    async def press(self, *keys: str) -> None:
        """Press keys one after the other."""
        await press(self.pilot, *keys)

    async def type(self, text: str) -> None:
        """Type text."""
        await press(self.pilot, *text)

    async def until(self, holds: Callable[[], object], what: str = "") -> None:
        """Let the application work until `holds()`."""
        for _ in range(_TURNS):
            if holds():
                return
            await self.pilot.pause(0.01)
        raise AssertionError(f"{what or holds} never came to hold; the screen:\n{self.text}")

    async def until_shown(self, what: str) -> None:
        """Let the application work until the screen shows `what`."""
        await self.until(lambda: what in self.text, repr(what))


@asynccontextmanager
async def opened(
    engine: FakeEngineClient | None = None,
    *,
    start: GenerationParams | None = None,
    size: tuple[int, int] = (80, 24),
) -> AsyncIterator[Stage]:
    """The application, connected, with the tokenizer loaded."""
    engine = engine or FakeEngineClient()

    async def connect() -> FakeEngineClient:
        return engine

    app = SdtuiApp(connect, start)
    async with app.run_test(size=size, notifications=True) as pilot:
        stage = Stage(app, engine, pilot)
        await stage.until_shown("/77")
        await stage.until_shown("engine ●")
        yield stage
