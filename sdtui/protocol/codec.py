"""MessagePack in length-prefixed frames, over asyncio streams and blocking pipes alike.

A frame is a big-endian 32-bit length and that many bytes of MessagePack.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Any, BinaryIO, Generic, TypeVar

import msgspec

from sdtui.errors import EngineError

T = TypeVar("T")

_LENGTH = struct.Struct(">I")
MAX_FRAME_BYTES = 64 * 1024 * 1024
"""A picture of 2048 by 2048 in RGB8 has 12 MiB; more than this is a broken or hostile peer."""

_encoder = msgspec.msgpack.Encoder()


def encode(message: msgspec.Struct) -> bytes:
    """One request or event as a whole frame."""
    body = _encoder.encode(message)
    return _LENGTH.pack(len(body)) + body


class Decoder(Generic[T]):
    """Reads frames of one family of messages (a union of tagged structs)."""

    def __init__(self, family: Any) -> None:
        self._decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(family)

    def decode(self, body: bytes) -> T:
        """The message in a frame's body; `EngineError` if it is none of the family."""
        try:
            return self._decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise EngineError(
                "A message was not understood",
                str(error),
                "The two sides may be of different versions: run `sdtui engine stop`, then retry.",
            ) from error

    async def read(self, reader: asyncio.StreamReader) -> T | None:
        """The next message of a stream, or None at its end."""
        try:
            header = await reader.readexactly(_LENGTH.size)
            body = await reader.readexactly(_checked_length(header))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        return self.decode(body)

    def read_blocking(self, pipe: BinaryIO) -> T | None:
        """The next message of a blocking pipe, or None at its end."""
        header = pipe.read(_LENGTH.size)
        if len(header) < _LENGTH.size:
            return None
        length = _checked_length(header)
        body = pipe.read(length)
        return self.decode(body) if len(body) == length else None


def _checked_length(header: bytes) -> int:
    (length,) = _LENGTH.unpack(header)
    if length > MAX_FRAME_BYTES:
        raise EngineError("A message was too large", f"A frame of {length:,} bytes was announced.")
    return length
