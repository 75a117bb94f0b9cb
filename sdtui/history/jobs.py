"""The jobs on the disk: what waits, what ran, and how it ended."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Mapping

import msgspec

from sdtui.errors import SdtuiError
from sdtui.history.database import Database
from sdtui.params import GenerationParams

_UNFULFILLED = "state IN ('failed', 'cancelled', 'parked')"


class StoredJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job as the database holds it. Times are UNIX times in seconds.

    `state` is "queued", "running", "saved", "failed", "cancelled" or "parked". `attempts` counts
    how often a worker took it up; `guidance_scale` is what the user changed it to, None while it is
    that of the parameters; `title`, `message` and `remedy` say why it failed or is parked.
    """

    id: str
    request_id: str
    params: GenerationParams
    device: str
    dtype: str
    state: str
    attempts: int
    guidance_scale: float | None
    queued_at: float
    started_at: float | None
    ended_at: float | None
    title: str
    message: str
    remedy: str

    @property
    def seconds(self) -> float:
        """How long the last attempt took; 0 for a job that has not begun or not ended.

        And where the clock was set back meanwhile, with nobody there to measure it otherwise.
        """
        if self.started_at is None or self.ended_at is None:
            return 0.0
        return max(self.ended_at - self.started_at, 0.0)


class JobStore:
    """Changes of the jobs' states, each durable when its method returns."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, jobs: Mapping[str, GenerationParams], request_id: str, device: str, dtype: str
    ) -> None:
        """Let new jobs, by their ids, wait behind all others: every one of them or none."""
        now = time.time()
        with self._database.transaction() as connection:
            for job_id, params in jobs.items():
                connection.execute(
                    "INSERT INTO jobs (id, request_id, params, device, dtype, state, number,"
                    " position, queued_at) VALUES (?, ?, ?, ?, ?, 'queued',"
                    " (SELECT coalesce(max(number), 0) + 1 FROM jobs),"
                    " (SELECT coalesce(max(position), 0) + 1 FROM jobs), ?)",
                    (
                        job_id,
                        request_id,
                        msgspec.json.encode(params).decode(),
                        device,
                        dtype,
                        now,
                    ),
                )
                connection.execute(
                    "INSERT INTO prompts (rowid, prompt, negative_prompt)"
                    " SELECT number, ?, ? FROM jobs WHERE id = ?",
                    (params.prompt, params.negative_prompt, job_id),
                )

    def start(self, job_id: str) -> float:
        """A worker takes the job up; this counts as an attempt even if the engine dies next.

        Returns the time from which on it runs.
        """
        now = time.time()
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE jobs SET state = 'running', attempts = attempts + 1, started_at = ?"
                " WHERE id = ?",
                (now, job_id),
            )
        return now

    def adjust(self, job_id: str, guidance_scale: float) -> None:
        """The user wants another guidance than the parameters'."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE jobs SET guidance_scale = ? WHERE id = ?", (guidance_scale, job_id)
            )

    def wait_again(self, job_id: str) -> None:
        """An interrupted job is queued where it stood, with the attempts that it has behind it."""
        self._set_state(job_id, "queued")

    def interrupt(self, job_id: str) -> None:
        """As `wait_again`, where the engine ends on purpose: this attempt does not count."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE jobs SET state = 'queued', attempts = attempts - 1"
                " WHERE id = ? AND state = 'running'",
                (job_id,),
            )

    def requeue(self, job_id: str) -> None:
        """A job without a picture waits anew behind all others, as if it had never been tried."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE jobs SET state = 'queued', attempts = 0, queued_at = ?,"
                " started_at = NULL, ended_at = NULL, title = '', message = '', remedy = '',"
                " position = (SELECT max(position) + 1 FROM jobs)"
                f" WHERE id = ? AND {_UNFULFILLED}",
                (time.time(), job_id),
            )

    def clear_ended(self) -> None:
        """Forget the jobs that failed or were cancelled. The parked ones are to be queued again."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM jobs WHERE state IN ('failed', 'cancelled')")

    def clear(self, job_id: str) -> None:
        """Forget a job that ended without a picture."""
        with self._database.transaction() as connection:
            connection.execute(f"DELETE FROM jobs WHERE id = ? AND {_UNFULFILLED}", (job_id,))

    def cancel(self, job_id: str, *, ended_at: float | None = None) -> None:
        """The user stopped the job, now or at `ended_at`."""
        self._end(job_id, "cancelled", ended_at=ended_at)

    def fail(
        self, job_id: str, title: str, message: str, remedy: str, *, ended_at: float | None = None
    ) -> None:
        """The job cannot be done."""
        self._end(job_id, "failed", title, message, remedy, ended_at)

    def park(
        self, job_id: str, title: str, message: str, remedy: str, *, ended_at: float | None = None
    ) -> None:
        """The job was interrupted once too often; it stays until someone queues it again."""
        self._end(job_id, "parked", title, message, remedy, ended_at)

    def move_up(self, job_id: str) -> None:
        """Let a waiting job change places with the one before it; the first one stays."""
        with self._database.transaction() as connection:
            row = connection.execute(
                "SELECT before.id, before.position, mine.position AS own FROM jobs AS mine"
                " JOIN jobs AS before ON before.position < mine.position"
                " WHERE mine.id = ? AND mine.state = 'queued' AND before.state = 'queued'"
                " ORDER BY before.position DESC LIMIT 1",
                (job_id,),
            ).fetchone()
            if row is not None:
                move = "UPDATE jobs SET position = ? WHERE id = ?"
                connection.execute(move, (row["own"], row["id"]))
                connection.execute(move, (row["position"], job_id))

    def unfinished(self) -> list[StoredJob]:
        """The jobs that run or wait, in their order. To a new engine, "running" is the past.

        One whose parameters this version does not understand is parked.
        """
        rows = self._database.rows(
            "SELECT * FROM jobs WHERE state IN ('queued', 'running') ORDER BY position"
        )
        jobs = []
        for row in rows:
            try:
                jobs.append(stored_job(row))
            except (msgspec.MsgspecError, SdtuiError) as error:
                title = "The job was queued by another version of sdtui"
                self.park(row["id"], title, str(error), "Generate it again with this one.")
        return jobs

    def left(self) -> list[StoredJob]:
        """`unfinished` for whoever only looks: what cannot be understood is left out."""
        return self._understood("state IN ('queued', 'running') ORDER BY position")

    def unfulfilled(self, limit: int) -> list[StoredJob]:
        """The jobs that ended without a picture and can be queued again, newest first.

        One whose parameters this version does not understand cannot.
        """
        return self._understood(f"{_UNFULFILLED} ORDER BY ended_at DESC LIMIT ?", limit)

    def find_unfulfilled(self, job_id: str) -> StoredJob | None:
        """The job of this id, if it is one of `unfulfilled`."""
        found = self._understood(f"{_UNFULFILLED} AND id = ?", job_id)
        return found[0] if found else None

    def is_paused(self) -> bool:
        """Whether the waiting jobs are held back, by whichever engine that was."""
        ((paused,),) = self._database.rows("SELECT paused FROM queue")
        return bool(paused)

    def set_paused(self, paused: bool) -> None:
        """Hold the waiting jobs back, or let them go on."""
        with self._database.transaction() as connection:
            connection.execute("UPDATE queue SET paused = ?", (int(paused),))

    def _understood(self, condition: str, *values: object) -> list[StoredJob]:
        rows = self._database.rows(f"SELECT * FROM jobs WHERE {condition}", values)
        jobs = []
        for row in rows:
            with contextlib.suppress(msgspec.MsgspecError, SdtuiError):
                jobs.append(stored_job(row))
        return jobs

    def _set_state(self, job_id: str, state: str) -> None:
        with self._database.transaction() as connection:
            connection.execute("UPDATE jobs SET state = ? WHERE id = ?", (state, job_id))

    def _end(
        self,
        job_id: str,
        state: str,
        title: str = "",
        message: str = "",
        remedy: str = "",
        ended_at: float | None = None,
    ) -> None:
        ended_at = time.time() if ended_at is None else ended_at
        with self._database.transaction() as connection:
            if state == "cancelled":
                # The picture may have been announced and found no room.
                connection.execute("DELETE FROM images WHERE job_id = ?", (job_id,))
            connection.execute(
                "UPDATE jobs SET state = ?, title = ?, message = ?, remedy = ?, ended_at = ?"
                " WHERE id = ?",
                (state, title, message, remedy, ended_at, job_id),
            )


def stored_job(row: sqlite3.Row) -> StoredJob:
    """A row of the table as a job."""
    fields = {field: row[field] for field in StoredJob.__struct_fields__ if field != "params"}
    params = msgspec.json.decode(row["params"], type=GenerationParams)
    return StoredJob(params=params, **fields)
