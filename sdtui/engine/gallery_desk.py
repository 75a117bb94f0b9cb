"""Where clients ask about past pictures: the gallery's answers, and a look at the files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sdtui.errors import EngineError
from sdtui.history.database import Database
from sdtui.history.gallery import Gallery, Picture
from sdtui.protocol.gallery import (
    DeletePicture,
    FavouriteSet,
    GalleryEvent,
    GalleryPicture,
    GalleryRequest,
    GallerySearched,
    PictureDeleted,
    SearchGallery,
    SetFavourite,
)

T = TypeVar("T")

_THREADS = 4


class GalleryDesk:
    """Answers questions, as many at a time as are asked.

    The database is read on the event loop, a page in a few milliseconds. Files are looked at beside
    it: theirs may be a disk that takes long to answer. The threads for that are the desk's own, so
    that no picture that is to be saved waits for one.
    """

    def __init__(self, database: Database) -> None:
        self._gallery = Gallery(database)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="gallery")

    async def answer(self, request: GalleryRequest) -> GalleryEvent:
        """Carry out what is asked.

        Raises `EngineError` when the picture is not in the gallery, or the disk refuses.
        """
        match request:
            case SearchGallery():
                return await self.search(request)
            case SetFavourite():
                picture = self._picture(request.job_id)
                self._gallery.set_favourite(picture.job.id, request.favourite)
                return FavouriteSet(
                    request_id=request.request_id,
                    job_id=request.job_id,
                    favourite=request.favourite,
                )
            case DeletePicture():
                return await self._delete(request)

    async def search(self, request: SearchGallery) -> GallerySearched:
        """The page that is asked for, and whether its files are there."""
        total = self._gallery.count(request.words, favourites=request.favourites)
        found = self._gallery.search(
            request.words,
            favourites=request.favourites,
            limit=request.limit,
            offset=request.offset,
        )
        there = await self._beside(lambda: [picture.exists for picture in found])
        pictures = [_on_the_wire(*pair) for pair in zip(found, there, strict=True)]
        return GallerySearched(request_id=request.request_id, pictures=pictures, total=total)

    async def _delete(self, request: DeletePicture) -> PictureDeleted:
        picture = self._picture(request.job_id)
        try:
            removed = await self._beside(picture.remove_file)
        except OSError as error:
            raise EngineError(
                "The picture cannot be deleted", str(error), "Make its folder writable."
            ) from error
        self._gallery.forget(picture.job.id)
        return PictureDeleted(
            request_id=request.request_id, job_id=request.job_id, file_removed=removed
        )

    async def _beside(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _picture(self, job_id: str) -> Picture:
        picture = self._gallery.find(job_id)
        if picture is None:
            raise EngineError("The picture is not in the history", "It may have been deleted.")
        return picture


def _on_the_wire(picture: Picture, exists: bool) -> GalleryPicture:
    job = picture.job
    return GalleryPicture(
        job_id=job.id,
        params=job.params,
        path=picture.path,
        exists=exists,
        width=picture.width,
        height=picture.height,
        size=picture.size,
        saved_at=job.ended_at or 0.0,
        seconds=job.seconds,
        favourite=picture.favourite,
        thumbnail=picture.thumbnail,
    )
