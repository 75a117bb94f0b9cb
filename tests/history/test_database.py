"""The durable queue and gallery, on a real file."""

from __future__ import annotations

import json
import os
import resource
import sqlite3
import stat
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from sdtui.errors import EngineError
from sdtui.history.database import (
    Database,
    HistoryDamagedError,
    HistoryHeldUpError,
    HistoryUnwritableError,
    journal_mode,
)
from sdtui.history.gallery import EncodedPicture, Gallery
from sdtui.history.jobs import JobStore
from sdtui.history.schema import MIGRATIONS, migrate
from sdtui.params import GenerationParams


@pytest.fixture
def database(tmp_path: Path):
    database = Database.open(tmp_path / "data" / "history.sqlite3")
    yield database
    database.close()


def add(store: JobStore, job_id: str, prompt: str = "a red apple", **params) -> None:
    batch = {job_id: GenerationParams(prompt=prompt, **params)}
    store.add(batch, f"request-{job_id}", "cpu", "fp32")


def waiting(store: JobStore) -> list[str]:
    return [job.id for job in store.unfinished()]


def picture(job_id: str) -> EncodedPicture:
    """A small picture whose bytes differ from job to job."""
    buffer = BytesIO()
    Image.new("RGB", (200, 100), (sum(job_id.encode()) % 256, 0, 0)).save(buffer, "png")
    return EncodedPicture.of(buffer.getvalue())


def save(database: Database, job_id: str, folder: Path, *, write: bool = True) -> Path:
    path = folder / f"{job_id}.png"
    Gallery(database).announce(job_id, path, picture(job_id))
    if write:
        path.write_bytes(picture(job_id).png)
    return path


def test_a_job_is_in_the_file_when_add_returns(tmp_path: Path):
    path = tmp_path / "data" / "history.sqlite3"
    first = Database.open(path)
    add(JobStore(first), "a", seed=2**63 - 1, guidance_scale=3.25)
    # No close: this is what the next process finds after a kill.
    second = Database(sqlite3.connect(path))
    (job,) = JobStore(second).unfinished()
    assert (job.id, job.state, job.attempts) == ("a", "queued", 0)
    assert job.params == GenerationParams(prompt="a red apple", seed=2**63 - 1, guidance_scale=3.25)
    first.close()
    second.close()


def test_the_file_and_its_folder_are_private(tmp_path: Path):
    path = tmp_path / "data" / "history.sqlite3"
    Database.open(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_only_one_process_has_it_open_and_the_next_one_waits_for_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("sdtui.history.database._BUSY_SECONDS", 0.1)
    path = tmp_path / "data" / "history.sqlite3"
    first = Database.open(path)
    with pytest.raises(EngineError, match="Another engine"):
        Database.open(path)
    first.close()
    Database.open(path).close()


def test_an_interruption_on_purpose_is_no_attempt(database: Database):
    store = JobStore(database)
    add(store, "a")
    store.start("a")
    store.interrupt("a")
    store.interrupt("a")
    (job,) = store.unfinished()
    assert (job.state, job.attempts) == ("queued", 0)


@pytest.mark.parametrize(("measured", "seconds"), [(2.5, 2.5), (None, 0.0)])
def test_a_clock_that_is_set_back_makes_no_job_shorter_than_nothing(
    database, tmp_path, monkeypatch: pytest.MonkeyPatch, measured: float | None, seconds: float
):
    add(JobStore(database), "a")
    save(database, "a", tmp_path)
    monkeypatch.setattr("time.time", lambda: 10_000.0)
    JobStore(database).start("a")
    monkeypatch.setattr("time.time", lambda: 6_400.0)
    Gallery(database).confirm("a", measured)
    job = Gallery(database).find("a").job
    assert (job.seconds, job.ended_at) == (seconds, 6_400.0)


def test_a_name_stays_with_the_picture_that_had_it_even_when_its_file_is_gone(database, tmp_path):
    for job_id in "ab":
        add(JobStore(database), job_id)
    path = save(database, "a", tmp_path)
    Gallery(database).confirm("a")
    path.unlink()
    assert Gallery(database).taken(path, "b")
    assert not Gallery(database).taken(path, "a")
    with pytest.raises(sqlite3.IntegrityError):
        Gallery(database).announce("b", path, picture("b"))
    assert Gallery(database).find("a").path == str(path)


def test_a_disk_without_room_refuses_a_change_whole(database: Database):
    store = JobStore(database)
    add(store, "a")
    (pages,) = database.connection.execute("PRAGMA page_count").fetchone()
    database.connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(HistoryHeldUpError, match="full") as refused:
        add(store, "b", "a red apple " * 1000)
    assert "Make room" in refused.value.remedy
    database.connection.execute("PRAGMA max_page_count = 100000")
    add(store, "c")
    assert waiting(store) == ["a", "c"]


def test_a_file_that_was_moved_away_takes_changes_again_when_it_is_back(
    database: Database, tmp_path: Path
):
    # With a write-ahead log, SQLite does not notice.
    database.connection.execute("PRAGMA journal_mode = DELETE")
    path = tmp_path / "data" / "history.sqlite3"
    path.rename(tmp_path / "elsewhere")
    with pytest.raises(HistoryUnwritableError, match="moved or removed") as refused:
        add(JobStore(database), "a")
    assert not isinstance(refused.value, HistoryHeldUpError)
    assert str(path) in refused.value.message
    assert "room" not in str(refused.value)
    (tmp_path / "elsewhere").rename(path)
    add(JobStore(database), "b")
    assert waiting(JobStore(database)) == ["b"]


def test_a_file_that_cannot_be_written_any_more_is_no_lack_of_room(database: Database):
    database.connection.execute("PRAGMA query_only = ON")
    with pytest.raises(HistoryUnwritableError, match="readonly") as refused:
        add(JobStore(database), "a")
    assert not isinstance(refused.value, HistoryHeldUpError)
    assert "room" not in str(refused.value)


def test_a_journal_that_cannot_be_made_is_waited_for(database: Database):
    database.connection.execute("PRAGMA journal_mode = DELETE")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, limits[1]))
    try:
        with pytest.raises(HistoryHeldUpError, match="unable to open"):
            add(JobStore(database), "a")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    add(JobStore(database), "a")


def test_a_file_that_another_program_holds_is_no_lack_of_room(database: Database, tmp_path: Path):
    database.connection.execute("PRAGMA busy_timeout = 0")
    path = tmp_path / "data" / "history.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(HistoryHeldUpError, match="locked") as refused:
            add(JobStore(database), "a")
        assert "room" not in str(refused.value)
    add(JobStore(database), "a")


def test_a_file_that_is_damaged_after_its_first_page_is_named(tmp_path: Path):
    path = tmp_path / "data" / "history.sqlite3"
    with closing(Database.open(path)) as database:
        add(JobStore(database), "a")
        save(database, "a", tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))
    with closing(Database.open(path)) as database:
        store, gallery = JobStore(database), Gallery(database)
        for question in (
            store.is_paused,
            store.unfinished,
            lambda: store.unfulfilled(1),
            lambda: store.find_unfulfilled("a"),
            gallery.search,
            lambda: gallery.search("apple"),
            gallery.count,
            lambda: gallery.find("a"),
            lambda: gallery.taken(path, "b"),
            lambda: gallery.settle("a"),
            lambda: add(store, "b"),
            lambda: store.set_paused(True),
            lambda: gallery.confirm("a"),
        ):
            with pytest.raises(HistoryDamagedError) as damaged:
                question()
            assert str(path) in damaged.value.message
            assert "move the file away" in damaged.value.remedy


def test_what_is_no_database_is_damage_to_who_only_reads(tmp_path: Path):
    path = tmp_path / "history.sqlite3"
    path.write_text("not a database, and long enough to be read as one " * 20)
    with pytest.raises(HistoryDamagedError, match="not a database") as damaged:
        Database.open_to_read(path)
    assert str(path) in damaged.value.message
    assert "move the file away" in damaged.value.remedy


def test_text_that_is_none_is_damage(database: Database):
    add(JobStore(database), "a")
    database.connection.execute("UPDATE jobs SET params = CAST(x'ff' AS TEXT)")
    with pytest.raises(HistoryDamagedError, match="UTF-8"):
        JobStore(database).unfinished()


def test_a_job_that_this_version_does_not_understand_is_parked(database: Database):
    store = JobStore(database)
    for job_id in "abc":
        add(store, job_id)
    update = "UPDATE jobs SET params = replace(params, ?, ?) WHERE id = ?"
    database.connection.execute(update, ("a red apple", "", "a"))
    database.connection.execute(update, ('"seed":', '"seed":"x', "b"))
    assert waiting(store) == ["c"]
    rows = database.connection.execute("SELECT state FROM jobs ORDER BY id")
    assert [row["state"] for row in rows] == ["parked", "parked", "queued"]


def test_jobs_wait_in_order_and_move_up(database: Database):
    store = JobStore(database)
    for job_id in "abc":
        add(store, job_id)
    store.move_up("c")
    assert waiting(store) == ["a", "c", "b"]
    store.move_up("a")
    assert waiting(store) == ["a", "c", "b"]
    store.start("a")
    store.move_up("c")
    assert waiting(store) == ["a", "c", "b"], "nothing overtakes the running job"


def test_an_interrupted_job_keeps_its_place_and_its_attempts(database: Database):
    store = JobStore(database)
    add(store, "a")
    add(store, "b")
    store.start("a")
    store.wait_again("a")
    first = store.unfinished()[0]
    assert (first.id, first.attempts, first.state) == ("a", 1, "queued")


@pytest.mark.parametrize("end", ["cancel", "fail", "park"])
def test_a_job_that_ended_waits_no_longer_until_it_is_requeued(database: Database, end: str):
    store = JobStore(database)
    add(store, "a")
    store.start("a")
    getattr(store, end)("a", *([] if end == "cancel" else ["It broke", "there", "mend it"]))
    assert waiting(store) == []
    store.requeue("a")
    (job,) = store.unfinished()
    assert (job.attempts, job.title, job.ended_at) == (0, "", None)


def test_a_file_that_came_to_be_before_the_crash_is_not_drawn_again(database, tmp_path):
    add(JobStore(database), "a")
    JobStore(database).start("a")
    save(database, "a", tmp_path)
    assert Gallery(database).settle("a")
    assert waiting(JobStore(database)) == []
    assert [picture.job.id for picture in Gallery(database).search()] == ["a"]


def test_a_file_that_never_came_to_be_leaves_the_job_waiting(database, tmp_path):
    add(JobStore(database), "a")
    save(database, "a", tmp_path, write=False)
    assert not Gallery(database).settle("a")
    assert waiting(JobStore(database)) == ["a"]
    assert Gallery(database).search() == []


def test_pictures_are_found_by_the_beginnings_of_their_words(database, tmp_path):
    for job_id, prompt in {"a": "a red apple", "b": "a fox on a red background"}.items():
        add(JobStore(database), job_id, prompt, negative_prompt="blurry")
        save(database, job_id, tmp_path)
        Gallery(database).confirm(job_id)
    found = lambda words: {p.job.id for p in Gallery(database).search(words)}  # noqa: E731
    assert found("red") == {"a", "b"}
    assert found("back fo") == {"b"}
    assert found("blur") == {"a", "b"}
    assert found("zebra") == set()
    assert found('red ( "') == {"a", "b"}, "signs alone are in no index"


@given(words=st.text(max_size=30))
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_search_text_is_an_error(database: Database, words: str):
    assert Gallery(database).search(words) == []


def test_favourites_and_deletion(database, tmp_path):
    gallery = Gallery(database)
    for job_id in "ab":
        add(JobStore(database), job_id)
        save(database, job_id, tmp_path)
        gallery.confirm(job_id)
    gallery.set_favourite("a", True)
    assert [picture.job.id for picture in gallery.search(favourites=True)] == ["a"]
    assert (gallery.count(), gallery.count(favourites=True)) == (2, 1)
    assert gallery.find("a").remove_file()
    gallery.forget("a")
    assert not (tmp_path / "a.png").exists()
    assert [picture.job.id for picture in gallery.search()] == ["b"]
    assert gallery.search("apple")[0].job.id == "b", "the search index forgot it as well"


def test_only_a_picture_can_be_forgotten(database):
    add(JobStore(database), "a")
    Gallery(database).forget("a")
    assert waiting(JobStore(database)) == ["a"]


@pytest.mark.parametrize("other", [b"something else", b"x" * len(picture("a").png)])
def test_a_file_that_another_hand_put_there_stays(database, tmp_path, other: bytes):
    add(JobStore(database), "a")
    path = save(database, "a", tmp_path)
    Gallery(database).confirm("a")
    path.write_bytes(other)
    assert not Gallery(database).find("a").remove_file()
    assert path.read_bytes() == other


def test_a_picture_that_this_version_does_not_understand_breaks_no_page(database, tmp_path):
    for job_id in "abc":
        add(JobStore(database), job_id)
        save(database, job_id, tmp_path)
        Gallery(database).confirm(job_id)
    database.connection.execute("UPDATE jobs SET params = '{\"glow\": 1}' WHERE id = 'b'")
    assert [picture.job.id for picture in Gallery(database).search(limit=3)] == ["c", "a"]
    assert Gallery(database).count() == 3
    assert Gallery(database).find("b") is None


def test_pages_follow_one_another_without_a_gap(database, tmp_path):
    ids = [f"{number:02}" for number in range(25)]
    for job_id in ids:
        add(JobStore(database), job_id)
        save(database, job_id, tmp_path)
        Gallery(database).confirm(job_id)
    database.connection.execute("UPDATE jobs SET ended_at = 1.0 WHERE id < '10'")
    pages = [Gallery(database).search("app", limit=10, offset=start) for start in (0, 10, 20, 30)]
    assert [picture.job.id for page in pages for picture in page] == ids[::-1]
    assert Gallery(database).count("app") == 25


VOCABULARY = ("a", "red", "redder", "fox", "foxglove", "apple", "app", "on")


class Past(NamedTuple):
    """A job as it ended; a saved one may be forgotten again before the next is added."""

    prompt: list[str]
    negative_prompt: list[str]
    ended_at: int
    is_favourite: bool
    fate: str


def words() -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(VOCABULARY), max_size=4)


@given(
    past=st.lists(
        st.builds(
            Past,
            words().filter(bool),
            words(),
            st.integers(1, 3),
            st.booleans(),
            st.sampled_from(["saved", "saved", "saved", "failed", "forgotten"]),
        ),
        max_size=12,
    ),
    wanted=words(),
    favourites=st.booleans(),
    limit=st.integers(1, 12),
    offset=st.integers(0, 6),
)
@settings(max_examples=60)
def test_a_search_finds_what_reading_every_prompt_finds_in_the_order_of_their_ends(
    past: list[Past], wanted: list[str], favourites: bool, limit: int, offset: int
) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    migrate(connection)
    with closing(Database(connection)) as database:
        gallery, store = Gallery(database), JobStore(database)
        for number, job in enumerate(past):
            job_id = str(number)
            prompts = (" ".join(job.prompt), " ".join(job.negative_prompt))
            add(store, job_id, prompts[0], negative_prompt=prompts[1])
            if job.fate == "failed":
                store.fail(job_id, "It broke", "", "")
                continue
            save(database, job_id, Path("/nowhere"), write=False)
            gallery.confirm(job_id)
            gallery.set_favourite(job_id, job.is_favourite)
            if job.fate == "forgotten":
                gallery.forget(job_id)
            update = "UPDATE jobs SET ended_at = ? WHERE id = ?"
            database.connection.execute(update, (job.ended_at, job_id))

        def has(job: Past, beginning: str) -> bool:
            return any(word.startswith(beginning) for word in job.prompt + job.negative_prompt)

        expected = [
            number
            for number, job in enumerate(past)
            if job.fate == "saved"
            and (job.is_favourite or not favourites)
            and all(has(job, beginning) for beginning in wanted)
        ]
        expected.sort(key=lambda number: (past[number].ended_at, number), reverse=True)
        query = " ".join(wanted)
        found = gallery.search(query, favourites=favourites, limit=limit, offset=offset)
        assert [int(picture.job.id) for picture in found] == expected[offset : offset + limit]
        assert gallery.count(query, favourites=favourites) == len(expected)


def test_a_picture_knows_when_its_file_is_gone(database, tmp_path):
    add(JobStore(database), "a")
    path = save(database, "a", tmp_path)
    Gallery(database).confirm("a")
    path.unlink()
    (picture,) = Gallery(database).search()
    assert not picture.exists
    assert picture.thumbnail.startswith(b"\x89PNG")
    assert not picture.remove_file()


def test_a_file_that_is_no_database_is_a_clear_error(tmp_path: Path):
    path = tmp_path / "data" / "history.sqlite3"
    path.parent.mkdir()
    path.write_text("not a database at all, but long enough to be read as one" * 20)
    with pytest.raises(EngineError) as caught:
        Database.open(path)
    assert str(path) in caught.value.message
    assert caught.value.remedy


def test_the_jobs_of_the_first_version_are_all_there_after_its_migration(tmp_path: Path):
    path = tmp_path / "data" / "history.sqlite3"
    path.parent.mkdir(mode=0o700)
    connection = sqlite3.connect(path)
    connection.executescript(f"{MIGRATIONS[0]} PRAGMA user_version = 1;")
    row = "INSERT INTO jobs (id, request_id, params, device, dtype, state, position, queued_at)"
    for number, state in enumerate(("queued", "running")):
        values = (state, "r", '{"prompt": "a red apple"}', "auto", "auto", state, number, 1.0)
        connection.execute(f"{row} VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
    connection.commit()
    connection.close()
    with closing(Database.open(path)) as database:
        jobs = JobStore(database).unfinished()
        assert [(job.id, job.guidance_scale) for job in jobs] == [
            ("queued", None),
            ("running", None),
        ]
        JobStore(database).adjust("queued", 2.5)
        assert JobStore(database).unfinished()[0].guidance_scale == 2.5
        assert database.is_sound()


def test_the_pictures_of_the_version_before_numbers_are_found_as_before(tmp_path: Path):
    path = tmp_path / "data" / "history.sqlite3"
    path.parent.mkdir(mode=0o700)
    prompts = {"gone": "a red fox", "old": "a red apple", "new": "a red fox"}
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"{''.join(MIGRATIONS[:4])} PRAGMA user_version = 4;")
        for place, (job_id, prompt) in enumerate(prompts.items()):
            row = "INSERT INTO jobs (id, request_id, params, device, dtype, state, position,"
            params = json.dumps({"prompt": prompt})
            connection.execute(
                f"{row} queued_at, ended_at) VALUES (?, 'r', ?, 'cpu', 'fp32', 'saved', ?, 1, 2)",
                (job_id, params, place),
            )
            connection.execute("INSERT INTO prompts VALUES (?, ?, 'blurry')", (job_id, prompt))
            connection.execute(
                "INSERT INTO images (job_id, path, width, height, size, sha256, thumbnail)"
                " VALUES (?, ?, 1, 1, 1, '', x'')",
                (job_id, job_id),
            )
        connection.execute("DELETE FROM jobs WHERE id = 'gone'")
        connection.commit()
    with closing(Database.open(path)) as database:
        gallery = Gallery(database)
        add(JobStore(database), "newest", "a red violin")
        save(database, "newest", tmp_path, write=False)
        gallery.confirm("newest")
        found = {words: [one.job.id for one in gallery.search(words)] for words in ("re", "fox")}
        assert found == {"re": ["newest", "new", "old"], "fox": ["new"]}
        gallery.forget("new")
        assert gallery.search("fox") == []
        assert gallery.count("blur") == 1
        assert database.is_sound()


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path):
    path = tmp_path / "data" / "history.sqlite3"
    Database.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(EngineError, match="newer"):
        Database.open(path)


def test_a_failed_transaction_changes_nothing(database: Database):
    add(JobStore(database), "a")
    with pytest.raises(sqlite3.IntegrityError):
        add(JobStore(database), "a")
    assert waiting(JobStore(database)) == ["a"]
    assert database.is_sound()


def test_a_write_ahead_log_is_used_only_where_it_is_sound(monkeypatch, tmp_path: Path):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 40, 1))
    assert journal_mode(tmp_path) == "DELETE"
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 51, 3))
    monkeypatch.setattr("sdtui.history.database.file_system", lambda path: "nfs4")
    assert journal_mode(tmp_path) == "DELETE"
    monkeypatch.setattr("sdtui.history.database.file_system", lambda path: "ext4")
    assert journal_mode(tmp_path) == "WAL"
