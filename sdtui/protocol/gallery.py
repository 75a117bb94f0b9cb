"""What a client asks of the gallery, and what it is answered: nobody else hears of it.

An answer bears its question's `request_id`. A question that cannot be answered is answered by
`RequestRefused`.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from sdtui.params import GenerationParams
from sdtui.protocol.events import Event
from sdtui.protocol.requests import AnsweredRequest

PAGE_PICTURES = 30
"""How many pictures one answer holds unless it is asked for fewer or more."""

MAX_PAGE_PICTURES = 100

_MAX_OFFSET = 2**31


class SearchGallery(AnsweredRequest, frozen=True, kw_only=True):
    """Find the pictures whose prompts hold all `words` (each may be a beginning), newest first.

    `limit` of them from `offset` on are answered in `GallerySearched`.
    """

    words: str = ""
    favourites: bool = False
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE_PICTURES)] = PAGE_PICTURES
    offset: Annotated[int, msgspec.Meta(ge=0, le=_MAX_OFFSET)] = 0


class SetFavourite(AnsweredRequest, frozen=True, kw_only=True):
    """Mark the picture of a job as a favourite, or not. Answered by `FavouriteSet`."""

    job_id: str
    favourite: bool


class DeletePicture(AnsweredRequest, frozen=True, kw_only=True):
    """Forget the picture of a job and remove its file. Answered by `PictureDeleted`."""

    job_id: str


class GalleryPicture(msgspec.Struct, frozen=True, kw_only=True):
    """A finished job and its file.

    `exists` says whether the file stands where it was saved, when that was looked up. `thumbnail`
    is a PNG, `size` that of the file in bytes, `saved_at` a UNIX time in seconds, and `seconds` how
    long the job took.
    """

    job_id: str
    params: GenerationParams
    path: str
    exists: bool
    width: int
    height: int
    size: int
    saved_at: float
    seconds: float
    favourite: bool
    thumbnail: bytes


class GallerySearched(Event, frozen=True, kw_only=True):
    """The pictures that were found from the asked offset on, and how many there are in all.

    Pictures whose parameters this version does not understand are counted and left out.
    """

    request_id: str
    pictures: list[GalleryPicture]
    total: int


class FavouriteSet(Event, frozen=True, kw_only=True):
    """A picture is a favourite now, or is none."""

    request_id: str
    job_id: str
    favourite: bool


class PictureDeleted(Event, frozen=True, kw_only=True):
    """The gallery forgot a picture.

    `file_removed` is false where the file was gone already, or is another one by now and stays.
    """

    request_id: str
    job_id: str
    file_removed: bool


GalleryRequest = SearchGallery | SetFavourite | DeletePicture
GalleryEvent = GallerySearched | FavouriteSet | PictureDeleted
