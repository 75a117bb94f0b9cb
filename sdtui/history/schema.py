"""The database's tables, as the migrations that lead to them."""

from __future__ import annotations

import sqlite3

from sdtui.errors import EngineError

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE jobs (
        id TEXT PRIMARY KEY,
        request_id TEXT NOT NULL,
        params TEXT NOT NULL,
        device TEXT NOT NULL,
        dtype TEXT NOT NULL,
        state TEXT NOT NULL CHECK (
            state IN ('queued', 'running', 'saved', 'failed', 'cancelled', 'parked')
        ),
        position INTEGER NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        queued_at REAL NOT NULL,
        started_at REAL,
        ended_at REAL,
        title TEXT NOT NULL DEFAULT '',
        message TEXT NOT NULL DEFAULT '',
        remedy TEXT NOT NULL DEFAULT ''
    ) STRICT;
    CREATE INDEX jobs_waiting ON jobs (position) WHERE state IN ('queued', 'running');
    CREATE INDEX jobs_by_end ON jobs (ended_at);
    CREATE TABLE images (
        job_id TEXT PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
        path TEXT NOT NULL UNIQUE,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        size INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        thumbnail BLOB NOT NULL,
        favourite INTEGER NOT NULL DEFAULT 0 CHECK (favourite IN (0, 1))
    ) STRICT;
    CREATE VIRTUAL TABLE prompts USING fts5 (job_id UNINDEXED, prompt, negative_prompt);
    CREATE TRIGGER jobs_deleted AFTER DELETE ON jobs BEGIN
        DELETE FROM prompts WHERE job_id = old.id;
    END;
    """,
    "ALTER TABLE jobs ADD COLUMN guidance_scale REAL;",
    """
    CREATE TABLE queue (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        paused INTEGER NOT NULL CHECK (paused IN (0, 1))
    ) STRICT;
    INSERT INTO queue (id, paused) VALUES (1, 0);
    CREATE INDEX jobs_by_position ON jobs (position);
    CREATE INDEX jobs_unfulfilled ON jobs (ended_at)
        WHERE state IN ('failed', 'cancelled', 'parked');
    """,
    """
    CREATE INDEX images_favourite ON images (job_id) WHERE favourite = 1;
    """,
    # A job has the number of its row in `prompts`: what is found there is known without that row.
    """
    DROP TRIGGER jobs_deleted;
    ALTER TABLE jobs ADD COLUMN number INTEGER;
    UPDATE jobs SET number = rowid;
    CREATE UNIQUE INDEX jobs_by_number ON jobs (number);
    ALTER TABLE prompts RENAME TO former_prompts;
    CREATE VIRTUAL TABLE prompts USING fts5 (prompt, negative_prompt);
    INSERT INTO prompts (rowid, prompt, negative_prompt)
        SELECT number, prompt, negative_prompt
        FROM former_prompts JOIN jobs ON jobs.id = former_prompts.job_id;
    DROP TABLE former_prompts;
    CREATE TRIGGER jobs_deleted AFTER DELETE ON jobs BEGIN
        DELETE FROM prompts WHERE rowid = old.number;
    END;
    DROP INDEX jobs_by_end;
    CREATE INDEX jobs_saved ON jobs (ended_at, number) WHERE state = 'saved';
    """,
)
"""Each leads from the version that is its index to the next. What has been released stays."""


def is_newest(connection: sqlite3.Connection) -> bool:
    """Whether a database has the tables that this version knows."""
    return _version(connection) == len(MIGRATIONS)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a database to the newest version, all or nothing.

    Raises `EngineError` for one that a newer sdtui wrote.
    """
    version = _version(connection)
    if version > len(MIGRATIONS):
        raise EngineError(
            "The history was written by a newer sdtui",
            f"Its schema has version {version}; this sdtui knows {len(MIGRATIONS)}.",
            "Update sdtui, or set SDTUI_HOME to another folder.",
        )
    if version == len(MIGRATIONS):
        return
    script = "".join(MIGRATIONS[version:])
    try:
        connection.executescript(
            f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {len(MIGRATIONS)}; COMMIT;"
        )
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)
