"""What an engine has left on the disk: its database, read beside it, and the pictures."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sdtui import paths
from sdtui.history.database import Database
from sdtui.history.gallery import Gallery
from sdtui.history.images import read_params
from sdtui.history.jobs import JobStore, StoredJob, stored_job


@contextmanager
def history() -> Iterator[Database]:
    """The database, whoever has it open."""
    connection = sqlite3.connect(
        paths.data_dir() / "history.sqlite3", timeout=30, isolation_level=None
    )
    with closing(Database(connection)) as database:
        yield database


def stored(job_id: str) -> StoredJob:
    """The job as it stands in the database."""
    with history() as database:
        row = database.connection.execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone()
    assert row is not None, "the job is lost"
    return stored_job(row)


def unfinished() -> list[str]:
    """The ids of the jobs that run or wait, in order."""
    with history() as database:
        return [job.id for job in JobStore(database).unfinished()]


def pictures() -> list[Path]:
    """Every picture on the disk."""
    return sorted(paths.images_dir().rglob("*.png"))


def check_everything(job_ids: list[str]) -> dict[str, StoredJob]:
    """Assert that nothing is lost, double or torn; the jobs as they stand."""
    jobs = {job_id: stored(job_id) for job_id in job_ids}
    assert {job.state for job in jobs.values()} <= {"saved", "parked"}
    with history() as database:
        assert database.is_sound()
        shown = Gallery(database).search(limit=10_000)
    saved = sorted(job.id for job in jobs.values() if job.state == "saved")
    assert sorted(picture.job.id for picture in shown) == saved
    assert sorted(picture.path for picture in shown) == [str(path) for path in pictures()]
    for picture in shown:
        path = Path(picture.path)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == picture.sha256
        assert read_params(path) == picture.job.params
    return jobs
