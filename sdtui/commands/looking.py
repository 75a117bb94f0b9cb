"""What only looks starts no engine: it asks the one that runs, or reads the file."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sdtui.engine.client import EngineClient
    from sdtui.history.database import Database


@asynccontextmanager
async def engine_or_file() -> AsyncIterator[EngineClient | Database]:
    """The engine that runs, else the database as the last one left it.

    An engine is started where the file cannot be read without one. Raises `EngineError` where none
    can be started, and where the file turns out to be damaged.
    """
    from sdtui.engine.client import EngineClient
    from sdtui.engine.launch import EngineNotRunningError
    from sdtui.history.database import Database, HistoryUnreadableError, usual_path

    source: EngineClient | Database
    try:
        source = await EngineClient.connect(start=False)
    except EngineNotRunningError:
        try:
            source = Database.open_to_read()
        except HistoryUnreadableError:
            source = await EngineClient.connect()
    if isinstance(source, EngineClient):
        try:
            yield source
        finally:
            await source.close()
    else:
        try:
            with closing(source):
                yield source
        except sqlite3.Error as error:
            raise HistoryUnreadableError(
                "The history cannot be read",
                f"{usual_path()}: {error}",
                "Move the file away to begin anew; the pictures stay.",
            ) from error
