"""What clients learn of past pictures, and do with them, through the real engine."""

from __future__ import annotations

import asyncio
import os
import subprocess
from contextlib import closing
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from sdtui.engine.client import EngineClient
from sdtui.engine.gallery_desk import GalleryDesk
from sdtui.errors import EngineError
from sdtui.history.database import Database
from sdtui.params import GenerationParams
from sdtui.protocol.codec import Decoder, encode
from sdtui.protocol.events import AnyEvent, JobSaved, JobStarted, RequestRefused
from sdtui.protocol.gallery import (
    DeletePicture,
    FavouriteSet,
    GalleryPicture,
    GallerySearched,
    PictureDeleted,
    SearchGallery,
)
from tests.engine.records import history, pictures, stored
from tests.engine.watching import names, of_kind, until

pytestmark = pytest.mark.usefixtures("fake_engine")

HOSTILE = 'a [red]fox[/] \x1b]52;c;aGk=\x07 [/nope] "NEAR(" * OR'


def params(prompt: str, seed: int = 0) -> GenerationParams:
    return GenerationParams(
        prompt=prompt, num_inference_steps=1, seed=seed, width=64, height=64, negative_prompt="worm"
    )


async def drawn(*prompts: str) -> tuple[EngineClient, list[str]]:
    """A client, and the ids of the jobs that became these pictures."""
    client = await EngineClient.connect(start=False)
    job_ids = [await client.submit(params(prompt, seed)) for seed, prompt in enumerate(prompts)]
    saved: list[JobSaved] = []
    while len(saved) < len(job_ids):
        saved += of_kind(await until(client, JobSaved), JobSaved)
    return client, job_ids


async def test_who_saw_a_picture_saved_and_who_finds_it_later_are_told_the_same_seconds() -> None:
    client = await EngineClient.connect(start=False)
    job_id = await client.submit(params("pause=0.05"))
    (saved,) = of_kind(await until(client, JobSaved), JobSaved)
    (picture,) = (await client.search_gallery()).pictures
    job = stored(job_id)
    assert job.started_at is not None
    assert job.ended_at is not None
    assert saved.seconds == picture.seconds == job.ended_at - job.started_at > 0
    await client.close()


async def found(client: EngineClient, words: str = "", **wanted: bool) -> list[GalleryPicture]:
    return (await client.search_gallery(words, **wanted)).pictures


async def test_a_picture_is_found_with_all_that_is_known_of_it() -> None:
    client, job_ids = await drawn("a red apple", HOSTILE)
    answer = await client.search_gallery()
    assert answer.total == 2
    assert [picture.job_id for picture in answer.pictures] == job_ids[::-1]
    newest = answer.pictures[0]
    size = os.stat(newest.path).st_size  # noqa: PTH116
    assert newest.params == params(HOSTILE, 1)
    assert (newest.exists, newest.favourite, newest.size) == (True, False, size)
    assert (newest.width, newest.height) == (64, 64)
    assert newest.saved_at == stored(job_ids[1]).ended_at
    assert 0 < newest.seconds < newest.saved_at
    with Image.open(BytesIO(newest.thumbnail)) as thumbnail:
        assert thumbnail.convert("RGB").getpixel((0, 0)) == (1, 1, 1)
    for words, expected in [
        ("appl", job_ids[:1]),
        ("[red] a", job_ids[::-1]),
        (HOSTILE, job_ids[1:]),
        ("worm", job_ids[::-1]),
        ("zebra", []),
        ("\0 (", job_ids[::-1]),
    ]:
        assert [picture.job_id for picture in await found(client, words)] == expected, words
    await client.close()


async def test_pages_are_asked_for_one_by_one() -> None:
    client, job_ids = await drawn(*["a red apple"] * 5)
    pages = [await client.search_gallery("red", limit=2, offset=start) for start in (0, 2, 4, 6)]
    assert [len(page.pictures) for page in pages] == [2, 2, 1, 0]
    assert [picture.job_id for page in pages for picture in page.pictures] == job_ids[::-1]
    assert {page.total for page in pages} == {5}
    await client.close()


async def test_favourites_are_marked_and_found() -> None:
    client, job_ids = await drawn("a red apple", "a red fox")
    marked = await client.set_favourite(job_ids[0], True)
    assert (marked.job_id, marked.favourite) == (job_ids[0], True)
    assert [picture.job_id for picture in await found(client, favourites=True)] == job_ids[:1]
    assert await found(client, "fox", favourites=True) == []
    await client.set_favourite(job_ids[0], False)
    assert await found(client, favourites=True) == []
    await client.close()


async def test_deleting_removes_the_file_and_forgets_the_picture() -> None:
    client, (gone, kept) = await drawn("a red apple", "a red fox")
    assert (await client.delete_picture(gone)).file_removed
    assert [picture.job_id for picture in await found(client)] == [kept]
    assert [str(path) for path in pictures()] == [(await found(client))[0].path]
    with pytest.raises(EngineError, match="not in the history"):
        await client.delete_picture(gone)
    await client.close()


async def test_files_that_were_moved_deleted_or_replaced_by_hand_break_nothing() -> None:
    client, job_ids = await drawn("moved", "deleted", "replaced", "a folder", "untouched")
    files = {picture.job_id: Path(picture.path) for picture in await found(client)}
    moved, deleted, replaced, folder, untouched = (files[job_id] for job_id in job_ids)
    moved.rename(moved.with_name("mine.png"))
    deleted.unlink()
    replaced.write_bytes(b"another picture")
    folder.unlink()
    folder.mkdir()
    there = {Path(picture.path): picture.exists for picture in await found(client)}
    assert there == {moved: False, deleted: False, replaced: True, folder: False, untouched: True}
    answers = [await client.delete_picture(job_id) for job_id in job_ids]
    assert [answer.file_removed for answer in answers] == [False, False, False, False, True]
    assert await found(client) == []
    assert replaced.read_bytes() == b"another picture"
    assert moved.with_name("mine.png").exists()
    assert folder.is_dir()
    assert not untouched.exists()
    await client.close()


async def test_a_picture_that_cannot_be_looked_at_breaks_no_page() -> None:
    client, (lost, kept) = await drawn("a red apple", "a red fox")
    # The system answers an error that is not that there is no such file, as a dead mount does.
    with history() as database:
        database.connection.execute(
            "UPDATE images SET path = ? WHERE job_id = ?", (f"/{'x' * 300}/1.png", lost)
        )
    there = {picture.job_id: picture.exists for picture in await found(client)}
    assert there == {lost: False, kept: True}
    await client.close()


async def test_a_folder_that_refuses_keeps_the_picture_in_the_history(
    fake_engine: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, (job_id,) = await drawn("a red apple")
    await client.shutdown()
    await client.close()
    fake_engine.wait(20)

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "unlink", refuse)
    with closing(Database.open()) as database:
        desk = GalleryDesk(database)
        with pytest.raises(EngineError, match="cannot be deleted"):
            await desk.answer(DeletePicture(request_id="1", job_id=job_id))
        answer = await desk.answer(SearchGallery(request_id="2"))
    assert isinstance(answer, GallerySearched)
    assert [(picture.job_id, picture.exists) for picture in answer.pictures] == [(job_id, True)]


async def test_a_job_that_is_no_picture_yet_is_left_alone() -> None:
    client = await EngineClient.connect(start=False)
    job_id = await client.submit(params("pause=0.5"))
    await until(client, JobStarted)
    for question in (client.delete_picture(job_id), client.set_favourite(job_id, True)):
        with pytest.raises(EngineError, match="not in the history"):
            await question
    await until(client, JobSaved)
    assert [picture.job_id for picture in await found(client)] == [job_id]
    await client.close()


async def test_answers_go_to_who_asked_alone_and_in_any_number() -> None:
    client, job_ids = await drawn("a red apple", "a red fox")
    other = await EngineClient.connect(start=False)
    apples, foxes, all_of_them = await asyncio.gather(
        client.search_gallery("apple"), client.search_gallery("fox"), client.search_gallery()
    )
    assert [answer.pictures[0].job_id for answer in (apples, foxes)] == job_ids
    assert all_of_them.total == 2
    await client.delete_picture(job_ids[0])
    last = await client.submit(params("the last"))
    for watching in (client, other):
        seen = await until(watching, JobSaved)
        assert of_kind(seen, JobSaved)[-1].job_id == last
        assert not [name for name in names(seen) if name.startswith(("Gallery", "Picture"))]
        await watching.close()


async def test_a_question_fails_when_the_engine_is_lost() -> None:
    client = await EngineClient.connect(start=False)
    await client.shutdown()
    with pytest.raises(EngineError, match="lost"):
        await client.search_gallery()
    await client.close()


@pytest.mark.parametrize("page", [{"limit": 0}, {"limit": 101}, {"limit": -1}, {"offset": -1}])
async def test_a_page_out_of_bounds_is_not_understood(page: dict[str, int]) -> None:
    client = await EngineClient.connect(start=False)
    client._writer.write(encode(SearchGallery(request_id="1", **page)))  # type: ignore[arg-type]
    (refused,) = of_kind(await until(client, RequestRefused), RequestRefused)
    assert "not understood" in refused.title
    await client.close()


@pytest.mark.parametrize(
    "answer",
    [
        GallerySearched(request_id="1", pictures=[], total=0),
        FavouriteSet(request_id="1", job_id="1", favourite=True),
        PictureDeleted(request_id="1", job_id="1", file_removed=True),
    ],
)
async def test_an_answer_is_no_event_of_the_others(
    answer: GallerySearched | FavouriteSet | PictureDeleted,
) -> None:
    with pytest.raises(EngineError):
        Decoder[AnyEvent](AnyEvent).decode(encode(answer)[4:])
