"""The pictures that jobs became: found by their prompt, kept or thrown away."""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import time
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import msgspec
from PIL import Image

from sdtui.errors import SdtuiError
from sdtui.history.database import Database
from sdtui.history.jobs import StoredJob, stored_job

log = logging.getLogger(__name__)

THUMBNAIL_SIDE = 96
"""The longer side of a thumbnail in pixels."""


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """A finished job and its file. `thumbnail` is a PNG; `exists` says if the file is there."""

    job: StoredJob
    path: str
    width: int
    height: int
    size: int
    sha256: str
    thumbnail: bytes
    favourite: bool

    @property
    def exists(self) -> bool:
        """Whether the file still stands where it was saved."""
        # `Path.is_file` raises what a folder or a disk that cannot be reached answers.
        return os.path.isfile(self.path)  # noqa: PTH113

    def remove_file(self) -> bool:
        """Remove the file and return whether it was there.

        One that is gone already is no error, and one that is another by now, put there by hand,
        stays. Raises `OSError` when the folder refuses.
        """
        path = Path(self.path)
        try:
            if not path.is_file() or path.stat().st_size != self.size:
                return False
            if hashlib.sha256(path.read_bytes()).hexdigest() != self.sha256:
                return False
            path.unlink()
        except FileNotFoundError:
            return False
        return True


@dataclass(frozen=True)
class EncodedPicture:
    """A picture as the bytes of its file `png`, and what the gallery keeps of it."""

    png: bytes
    width: int
    height: int
    sha256: str
    thumbnail: bytes

    @classmethod
    def of(cls, png: bytes) -> EncodedPicture:
        """What is to be known of the file `png`; this takes a few milliseconds a megapixel."""
        with Image.open(BytesIO(png)) as image:
            return cls(
                png, image.width, image.height, hashlib.sha256(png).hexdigest(), thumbnail(image)
            )


class Gallery:
    """What was drawn. A picture counts from the moment in which its file is whole."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def announce(self, job_id: str, path: Path, picture: EncodedPicture) -> None:
        """Write down where a picture is about to be saved, before its file has that name.

        Should the engine die between the two, `settle` finds out whether the file came to be.
        Another announcement of the same job replaces the first. The path must not be `taken`.
        """
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO images (job_id, path, width, height, size, sha256, thumbnail)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (job_id) DO UPDATE SET"
                " path = excluded.path, width = excluded.width, height = excluded.height,"
                " size = excluded.size, sha256 = excluded.sha256, thumbnail = excluded.thumbnail",
                (
                    job_id,
                    str(path),
                    picture.width,
                    picture.height,
                    len(picture.png),
                    picture.sha256,
                    picture.thumbnail,
                ),
            )

    def taken(self, path: Path, job_id: str) -> bool:
        """Whether `path` is that of another job's picture, its file being there or not."""
        query = "SELECT 1 FROM images WHERE path = ? AND job_id != ?"
        return bool(self._database.rows(query, (str(path), job_id)))

    def withdraw(self, job_id: str) -> None:
        """The announced file will not come to be."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM images WHERE job_id = ?", (job_id,))

    def confirm(self, job_id: str, seconds: float | None = None) -> None:
        """The announced file is on the disk: the job is done.

        It took `seconds`, or what the computer's clock says, which may have been set meanwhile.
        """
        now = time.time()
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE jobs SET state = 'saved', started_at = coalesce(? - ?, started_at),"
                " ended_at = ? WHERE id = ?",
                (now, seconds, now, job_id),
            )

    def settle(self, job_id: str, seconds: float | None = None) -> bool:
        """After a crash: confirm the job if its announced file is whole, else withdraw it."""
        query = "SELECT path, sha256 FROM images WHERE job_id = ?"
        announced = self._database.rows(query, (job_id,))
        if not announced:
            return False
        ((path, sha256),) = announced
        try:
            whole = hashlib.sha256(Path(path).read_bytes()).hexdigest() == sha256
        except OSError:
            whole = False
        if whole:
            self.confirm(job_id, seconds)
        else:
            self.withdraw(job_id)
        return whole

    def search(
        self, words: str = "", *, favourites: bool = False, limit: int = 50, offset: int = 0
    ) -> list[Picture]:
        """Pictures whose prompts hold all `words` (each may be a beginning), newest first.

        Those whose parameters this version does not understand are left out of their page.
        """
        condition, values = _condition(words, favourites)
        order = "ORDER BY jobs.ended_at DESC, jobs.number DESC"
        # Only a page is read in full: what is sorted has no thumbnails.
        page = f"SELECT id FROM jobs WHERE {condition} {order} LIMIT ? OFFSET ?"
        return self._select(f"jobs.id IN ({page}) {order}", *values, limit, offset)

    def count(self, words: str = "", *, favourites: bool = False) -> int:
        """How many pictures `search` finds in all."""
        condition, values = _condition(words, favourites)
        ((number,),) = self._database.rows(f"SELECT count(*) FROM jobs WHERE {condition}", values)
        return int(number)

    def find(self, job_id: str) -> Picture | None:
        """The picture that this job became."""
        found = self._select("jobs.state = 'saved' AND jobs.id = ?", job_id)
        return found[0] if found else None

    def _select(self, condition: str, *values: object) -> list[Picture]:
        rows = self._database.rows(
            "SELECT jobs.*, images.path, images.width, images.height, images.size, images.sha256,"
            " images.thumbnail, images.favourite FROM jobs JOIN images ON images.job_id = jobs.id"
            f" WHERE {condition}",
            values,
        )
        pictures = []
        for row in rows:
            try:
                pictures.append(_picture(row))
            except (msgspec.MsgspecError, SdtuiError):
                log.exception("the picture of job %s is of another version of sdtui", row["id"])
        return pictures

    def set_favourite(self, job_id: str, favourite: bool) -> None:
        """Mark a picture as a favourite, or not."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE images SET favourite = ? WHERE job_id = ?", (int(favourite), job_id)
            )

    def forget(self, job_id: str) -> None:
        """Let a picture be no longer in the gallery; what becomes of its file is not asked."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM jobs WHERE id = ? AND state = 'saved'", (job_id,))


def thumbnail(image: Image.Image) -> bytes:
    """A PNG of the picture, at most `THUMBNAIL_SIDE` pixels wide and high."""
    small = image.copy()
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    buffer = BytesIO()
    small.save(buffer, "png")
    return buffer.getvalue()


def _condition(words: str, favourites: bool) -> tuple[str, list[object]]:
    """What a search asks of a row, and the values of its placeholders."""
    conditions: list[str] = ["jobs.state = 'saved'"]
    values: list[object] = []
    if query := _fts_query(words):
        # The plus keeps SQLite from looking every match up among all jobs: it goes through those
        # that are saved by their ends, as they are wanted, and that index has the numbers.
        conditions.append("+jobs.number IN (SELECT rowid FROM prompts WHERE prompts MATCH ?)")
        values.append(query)
    if favourites:
        conditions.append("jobs.id IN (SELECT job_id FROM images WHERE favourite = 1)")
    return " AND ".join(conditions), values


def _fts_query(words: str) -> str:
    """Every word as a quoted beginning, so that nothing in it is an operator of FTS5.

    Signs alone are left out: the index knows letters and digits, so no picture would have them.
    """
    text = words.replace("\0", " ").replace('"', '""').encode(errors="replace").decode()
    spoken = (word for word in text.split() if any(map(str.isalnum, word)))
    return " ".join(f'"{word}"*' for word in spoken)


def _picture(row: sqlite3.Row) -> Picture:
    fields = ("path", "width", "height", "size", "sha256", "thumbnail")
    return Picture(
        job=stored_job(row),
        favourite=bool(row["favourite"]),
        **{field: row[field] for field in fields},
    )
