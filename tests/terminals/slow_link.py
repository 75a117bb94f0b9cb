"""A link on the loopback, as slow as one wants it, with a buffer on the way as real ones have.

It stands between a client and a server that listens on 127.0.0.1, and hands on what comes.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections import deque
from types import TracebackType

_PIECE = 1400
"""Bytes; about a packet's."""
_KERNEL_BUFFER = 16_384
"""Bytes; more in the kernel would make the link's buffer larger than it is said to be."""
_WITHOUT_A_WORD = struct.pack("ii", 1, 0)
"""SO_LINGER of a connection that breaks: what waits is lost."""


class SlowLink:
    """Carries connections to `port` at `rate` bytes a second, `latency` seconds late each way.

    Up to `buffer` bytes are on the way in a direction before its sender has to wait. `carried`
    counts what came back from the server. Leaving the context breaks what is left.
    """

    def __init__(self, port: int, *, rate: float, latency: float, buffer: int) -> None:
        self.rate, self.latency, self.buffer = rate, latency, buffer
        self.passes = threading.Event()
        self.passes.set()
        self._server = port
        self._ends: list[socket.socket] = []
        self._back: list[_Direction] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _KERNEL_BUFFER)
        self.port = self._listener.getsockname()[1]

    def __enter__(self) -> SlowLink:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()

    @property
    def carried(self) -> int:
        """Bytes that came to the clients."""
        return sum(direction.carried for direction in self._back)

    def hold(self) -> None:
        """Let nothing through, and tell nobody."""
        self.passes.clear()

    def release(self) -> None:
        """Let through again what waits, and what comes."""
        self.passes.set()

    def drop(self) -> None:
        """Break the connections that there are."""
        while self._ends:
            end = self._ends.pop()
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _WITHOUT_A_WORD)
            # A thread that waits for data would keep the socket open.
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RD)
            end.close()
        self.release()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket()
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _KERNEL_BUFFER)
            server.connect(("127.0.0.1", self._server))
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._ends.append(end)
            _Direction(self, client, server)
            self._back.append(_Direction(self, server, client))


class _Direction:
    """What goes from one end to the other: pieces, and when each of them arrives."""

    def __init__(self, link: SlowLink, source: socket.socket, target: socket.socket) -> None:
        self._link, self._source, self._target = link, source, target
        self._changed = threading.Condition()
        self._pieces: deque[tuple[float, bytes]] = deque()
        self._size = 0
        self.carried = 0
        for run in (self._take, self._give):
            threading.Thread(target=run, daemon=True).start()

    def _take(self) -> None:
        link, free_at, data = self._link, 0.0, b"-"
        while data:
            with self._changed:
                self._changed.wait_for(lambda: self._size < link.buffer)
            try:
                data = self._source.recv(_PIECE)
            except OSError:
                data = b""
            free_at = max(free_at, time.monotonic()) + len(data) / link.rate
            with self._changed:
                self._pieces.append((free_at + link.latency, data))
                self._size += len(data)
                self._changed.notify_all()

    def _give(self) -> None:
        data = b"-"
        while data:
            with self._changed:
                self._changed.wait_for(lambda: self._pieces)
                arrives_at, data = self._pieces[0]
            time.sleep(max(0.0, arrives_at - time.monotonic()))
            self._link.passes.wait()
            with contextlib.suppress(OSError):
                if data:
                    self._target.sendall(data)
                else:
                    self._target.shutdown(socket.SHUT_WR)
            with self._changed:
                self._pieces.popleft()
                self._size -= len(data)
                self.carried += len(data)
                self._changed.notify_all()
