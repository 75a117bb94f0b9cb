"""The first thing that an engine says to a client, and what it means that it says nothing."""

from __future__ import annotations

import asyncio

from sdtui import paths
from sdtui.engine.launch import Connection, EngineNotRunningError, attach
from sdtui.engine.listener import peer_pid
from sdtui.errors import EngineError
from sdtui.protocol.codec import Decoder, encode
from sdtui.protocol.events import AnyEvent
from sdtui.protocol.requests import Request

_ANSWER_SECONDS = 10.0
"""A running engine answers at once, or in some seconds where the machine has no time for it."""


async def first_answer(connection: Connection, request: Request) -> AnyEvent | None:
    """What the engine says to its client's first request; None if it ends without a word.

    Raises `EngineError` when it does neither: the kernel takes connections for a process that is
    stopped, until it has too many of them.
    """
    reader, writer = connection
    writer.write(encode(request))
    answer = asyncio.ensure_future(Decoder[AnyEvent](AnyEvent).read(reader))
    try:
        while not (await asyncio.wait({answer}, timeout=_ANSWER_SECONDS))[0]:
            # One that ends may have a picture to save before, and takes no more connections.
            if await _takes_connections() and not answer.done():
                raise _silence(peer_pid(writer.get_extra_info("socket")))
        return answer.result()
    except OSError:
        # The connection is one too many, and leads to no process.
        raise _silence(0) from None
    finally:
        answer.cancel()


async def _takes_connections() -> bool:
    try:
        _, writer = await attach()
    except EngineNotRunningError:
        return False
    writer.close()
    return True


def _silence(pid: int) -> EngineError:
    process = f"Process {pid}" if pid else "Its process"
    signals = (
        f"`kill -CONT {pid}` lets it go on if it was stopped, `kill -KILL {pid}` ends it;"
        if pid
        else "`sdtui engine logs` may say why. End it:"
    )
    return EngineError(
        "The engine does not answer",
        f"{process} listens at {paths.socket_path()} and says nothing.",
        f"{signals} its jobs go on at its next start.",
    )
