"""Frames in order of arrival, where some are superseded by newer ones of their kind."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterator

from sdtui.protocol.events import DownloadProgressed, Event, PreviewReady, QueueChanged


class Backlog:
    """Encoded events that somebody has yet to read, oldest first.

    A preview takes the place of the job's former one, a download's progress that of the same file,
    and the queue that of the queue as it was; everything else is kept. `size` is in bytes.
    """

    def __init__(self) -> None:
        self.size = 0
        self._frames: dict[Hashable, bytes] = {}
        self._serial = itertools.count()

    def __len__(self) -> int:
        return len(self._frames)

    def __iter__(self) -> Iterator[tuple[Hashable, bytes]]:
        """Pairs of key and frame, as `add` takes them into another backlog."""
        return iter(self._frames.items())

    def append(self, event: Event, frame: bytes) -> None:
        """Take `event`, of which `frame` is the encoded form."""
        self.add(superseding_key(event), frame)

    def add(self, key: Hashable | None, frame: bytes) -> None:
        """Take a frame; one with the same `key` makes room for it. None never makes room."""
        if key is None or isinstance(key, int):
            key = next(self._serial)
        self.size += len(frame) - len(self._frames.pop(key, b""))
        self._frames[key] = frame

    def pop(self) -> bytes:
        """The oldest frame, taken out."""
        key = next(iter(self._frames))
        frame = self._frames.pop(key)
        self.size -= len(frame)
        return frame


def superseding_key(event: Event) -> Hashable | None:
    """What a newer event must share with this one to replace it; None if nothing may."""
    match event:
        case PreviewReady():
            return "preview", event.job_id
        case DownloadProgressed():
            return "download", event.model, event.file
        case QueueChanged():
            return "queue"
        case _:
            return None
