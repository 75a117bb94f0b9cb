"""Reading along with an engine's events."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from sdtui.engine.client import EngineClient
from sdtui.protocol.events import AnyEvent, EngineStatus, Event, QueueChanged

E = TypeVar("E", bound=Event)

_PATIENCE_SECONDS = 150


async def until(client: EngineClient, *kinds: type[Event]) -> list[AnyEvent]:
    """The events up to and with the first one of `kinds`."""
    seen: list[AnyEvent] = []
    async with asyncio.timeout(_PATIENCE_SECONDS):
        async for event in client.events():
            seen.append(event)
            if isinstance(event, kinds):
                return seen
    raise AssertionError(f"the engine was lost after {names(seen)}")


async def to_the_end(client: EngineClient) -> list[AnyEvent]:
    """The events until the engine is lost."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        return [event async for event in client.events()]


def names(events: list[AnyEvent]) -> list[str]:
    """What happened, without what the engine says about itself."""
    about_itself = EngineStatus | QueueChanged
    return [type(event).__name__ for event in events if not isinstance(event, about_itself)]


def of_kind(events: list[AnyEvent], kind: type[E]) -> list[E]:
    """Those events that are of one kind."""
    return [event for event in events if isinstance(event, kind)]
