"""`sdtui history`: past pictures, newest first, for eyes and for scripts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from io import BytesIO
from typing import TYPE_CHECKING, Annotated

import typer

from sdtui.commands.looking import engine_or_file
from sdtui.commands.output import note
from sdtui.errors import ParameterError
from sdtui.protocol.gallery import (
    MAX_PAGE_PICTURES,
    GalleryPicture,
    GallerySearched,
    SearchGallery,
)
from sdtui.text import clean

if TYPE_CHECKING:
    from sdtui.engine.client import EngineClient
    from sdtui.history.database import Database

_LONGEST_PROMPT = 400
_THUMBNAIL_LINES = 10


def history(
    words: Annotated[
        list[str] | None,
        typer.Argument(help="Only pictures whose prompts hold words that begin with all of these."),
    ] = None,
    favourites: Annotated[
        bool, typer.Option("--favourites", help="Only pictures marked as favourites.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 20,
    show: Annotated[
        bool, typer.Option("--show", help="Print a small picture of each in half blocks.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print every picture as a line of JSON.")
    ] = False,
) -> None:
    """List past pictures, newest first."""
    if show and json:
        raise ParameterError(
            "--show", "does not go with --json", "Both write to the output: choose one."
        )
    total = asyncio.run(_list(" ".join(words or []), favourites, limit, show, json))
    if total > limit:
        note(f"{total - limit:,} more; --limit {total} lists all of them.")
    elif not total:
        note("No picture was found.")


async def _list(words: str, favourites: bool, limit: int, show: bool, json: bool) -> int:
    """Print what is found, and say how much there is."""
    total = 0
    async with engine_or_file() as source:
        async for page in _pages(_search(source), words, favourites, limit):
            total = page.total
            for picture in page.pictures:
                if show:
                    _print_thumbnail(picture)
                print(as_json(picture) if json else "\n".join(described(picture)))
    return total


def _search(source: EngineClient | Database) -> Callable[..., Awaitable[GallerySearched]]:
    """`EngineClient.search_gallery`, or what answers as it does without an engine."""
    from sdtui.engine.gallery_desk import GalleryDesk
    from sdtui.history.database import Database

    if not isinstance(source, Database):
        return source.search_gallery
    desk = GalleryDesk(source)
    return lambda words, **page: desk.search(SearchGallery(words=words, **page))


async def _pages(
    search: Callable[..., Awaitable[GallerySearched]], words: str, favourites: bool, limit: int
) -> AsyncIterator[GallerySearched]:
    """The pages of a search that hold its first `limit` pictures."""
    for offset in range(0, limit, MAX_PAGE_PICTURES):
        page = await search(
            words,
            favourites=favourites,
            limit=min(limit - offset, MAX_PAGE_PICTURES),
            offset=offset,
        )
        yield page
        if offset + MAX_PAGE_PICTURES >= page.total:
            return


def described(picture: GalleryPicture) -> list[str]:
    """A picture in three lines: when and what, how, and where."""
    params = picture.params
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(picture.saved_at))
    figures = [
        f"seed {params.seed}",
        f"{picture.width}×{picture.height}",
        f"{params.num_inference_steps} steps",
        params.scheduler,
        clean(params.model),
    ]
    if picture.favourite:
        figures.append("favourite")
    if not picture.exists:
        figures.append("file is gone")
    prompt = clean(params.prompt.strip(), limit=_LONGEST_PROMPT)
    return [f"{when}  {prompt}", f"  {' · '.join(figures)}", f"  {clean(picture.path)}"]


def as_json(picture: GalleryPicture) -> str:
    """All that is known of a picture, but for its thumbnail, in ASCII."""
    import json

    import msgspec

    record = msgspec.to_builtins(picture, builtin_types=(bytes,))
    del record["thumbnail"]
    return json.dumps(record)


def _print_thumbnail(picture: GalleryPicture) -> None:
    from sdtui.commands.picture import print_picture

    print_picture(BytesIO(picture.thumbnail), _THUMBNAIL_LINES)
