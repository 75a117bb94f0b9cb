"""One attached client as the supervisor sees it: an outgoing queue that cannot block anyone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Hashable

from sdtui.engine.backlog import Backlog
from sdtui.protocol.codec import encode
from sdtui.protocol.events import Event, PreviewReady

log = logging.getLogger(__name__)

MAX_BACKLOG_BYTES = 64 * 1024 * 1024
"""A client that leaves more unread is let go; it can attach again and be shown the job anew."""

_SOCKET_BUFFER_BYTES = 256 * 1024
"""What asyncio may hold beside the backlog; a preview in there can no longer be superseded."""


class Subscriber:
    """The way to one client. `has_credit` says that it can show another preview.

    The last step's preview comes also without a credit. It may take the place of one that was not
    yet painted, and both are then answered by one, so credits are not counted. `shows_latents` is
    whether x_t is of use to it.
    """

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.has_credit = False
        self.shows_latents = False
        self._writer = writer
        self._backlog = Backlog()
        self._news = asyncio.Event()
        self._closing = False
        transport = writer.transport
        transport.set_write_buffer_limits(high=_SOCKET_BUFFER_BYTES)

    def send(self, event: Event, frame: bytes | None = None) -> None:
        """Queue `event` for this client; `frame` is its encoded form where that is at hand."""
        if not self._closing:
            self._backlog.append(event, encode(event) if frame is None else frame)
            self._check_backlog()

    def send_frame(self, key: Hashable, frame: bytes) -> None:
        """Queue a recorded frame for this client."""
        if not self._closing:
            self._backlog.add(key, frame)
            self._check_backlog()

    def send_preview(self, preview: PreviewReady, frame: bytes) -> None:
        """Queue a frame for one credit; without a credit, only the last step's."""
        is_last = preview.step_index == preview.count - 1
        if self.has_credit or is_last:
            self.has_credit = False
            self.send(preview, frame)

    async def deliver(self) -> None:
        """Write what is queued, until `close` and everything before it has been written."""
        try:
            while not (self._closing and not self._backlog):
                while self._backlog:
                    self._writer.write(self._backlog.pop())
                    await self._writer.drain()
                if not self._closing:
                    self._news.clear()
                    await self._news.wait()
        except ConnectionError:
            self._closing = True
        finally:
            self._writer.close()

    def close(self) -> None:
        """Take no more events; the connection ends when those at hand are written."""
        self._closing = True
        self._news.set()

    def abort(self) -> None:
        """End the connection at once."""
        self._closing = True
        self._news.set()
        self._writer.transport.abort()

    def _check_backlog(self) -> None:
        if self._backlog.size > MAX_BACKLOG_BYTES:
            log.warning("a client left %d bytes unread and is let go", self._backlog.size)
            self.abort()
        self._news.set()
