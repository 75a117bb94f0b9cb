"""A client's end of the engine: submit jobs, and watch everything that happens."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import sdtui
from sdtui.engine.first_answer import first_answer
from sdtui.engine.launch import Connection, EngineNotRunningError, attach, attach_or_start
from sdtui.errors import EngineError, ParameterError, SdtuiError
from sdtui.params import GenerationParams
from sdtui.protocol.codec import Decoder, encode
from sdtui.protocol.events import (
    AnyEvent,
    EngineStatus,
    JobQueued,
    RequestCarriedOut,
    RequestRefused,
)
from sdtui.protocol.gallery import (
    PAGE_PICTURES,
    DeletePicture,
    FavouriteSet,
    GalleryEvent,
    GallerySearched,
    PictureDeleted,
    SearchGallery,
    SetFavourite,
)
from sdtui.protocol.requests import (
    Adjust,
    AnsweredRequest,
    Attach,
    Cancel,
    ClearEnded,
    GrantPreview,
    LoadModel,
    MoveUp,
    PauseQueue,
    Request,
    Requeue,
    ResumeQueue,
    ShowLatents,
    Shutdown,
    Submit,
)

_ATTEMPTS = 3
"""An engine may be ending just as a client connects; the next attempt starts a new one."""


@dataclass
class _Asked:
    """A request that waits for its answer, and the jobs that were queued by it so far."""

    answer: asyncio.Future[Any] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    job_ids: list[str] = field(default_factory=list)

    def settle(self, event: GalleryEvent | None) -> None:
        """Hand the answer over; whoever was cancelled meanwhile does not wait for it."""
        if not self.answer.done():
            self.answer.set_result(self.job_ids if event is None else event)

    def refuse(self, error: SdtuiError) -> None:
        """Say why there is no answer."""
        if not self.answer.done():
            self.answer.set_exception(error)


class EngineClient:
    """One attached client. `status` is the engine's last word about itself."""

    def __init__(self, connection: Connection, status: EngineStatus) -> None:
        self.status = status
        self._reader, self._writer = connection
        self._events: asyncio.Queue[AnyEvent | None] = asyncio.Queue()
        self._events.put_nowait(status)
        self._asked: dict[str, _Asked] = {}
        self._shutdown: asyncio.Future[None] | None = None
        self._loss: SdtuiError | None = None
        self._receiving = asyncio.create_task(self._receive())

    @classmethod
    async def connect(cls, *, start: bool = True) -> EngineClient:
        """Attach to the engine, which is started first if none answers and `start` is true.

        Raises `EngineNotRunningError` if none answers and none is to be started, and
        `EngineError` if the engine cannot be started, is stopped or is of another version.
        """
        for _ in range(_ATTEMPTS):
            connection = await (attach_or_start() if start else attach())
            try:
                answer = await first_answer(connection, Attach(version=sdtui.__version__))
            except EngineError:
                connection[1].close()
                raise
            if isinstance(answer, EngineStatus):
                return cls(connection, answer)
            connection[1].close()
            if isinstance(answer, RequestRefused):
                raise _error(answer)
        raise EngineError("The engine does not answer", "It closed the connection at once.")

    async def submit(
        self, params: GenerationParams, *, device: str = "auto", dtype: str = "auto"
    ) -> str:
        """Queue one generation and return its job id. Raises as `submit_batch` does."""
        (job_id,) = await self.submit_batch(params, 1, device=device, dtype=dtype)
        return job_id

    async def submit_batch(
        self, params: GenerationParams, count: int, *, device: str = "auto", dtype: str = "auto"
    ) -> list[str]:
        """Queue `count` generations with seeds that follow one another and return their job ids.

        Raises `ParameterError` or `EngineError` when the engine is lost or refuses, which it does
        for all of them together.
        """
        return await self._ask(Submit(params=params, device=device, dtype=dtype, batch=count))

    async def move_up(self, job_id: str) -> None:
        """Let a waiting job change places with the one before it.

        This and what else changes the queue returns when it is done, and raises `ParameterError` or
        `EngineError` when it is not; `QueueChanged` shows what came of it.
        """
        await self._ask(MoveUp(job_id=job_id))

    async def requeue(self, job_id: str) -> None:
        """Let a job that failed, was cancelled or is parked wait anew behind all others."""
        await self._ask(Requeue(job_id=job_id))

    async def clear_ended(self, job_id: str | None = None) -> None:
        """Have the jobs forgotten that failed or were cancelled, or one alone, parked or not."""
        await self._ask(ClearEnded(job_id=job_id))

    async def pause_queue(self) -> None:
        """Let no waiting job begin; the running one goes on."""
        await self._ask(PauseQueue())

    async def resume_queue(self) -> None:
        """Let the waiting jobs go on."""
        await self._ask(ResumeQueue())

    async def cancel(self, job_id: str) -> None:
        """Have a job stopped before its next step; `JobCancelled` says when it did.

        One that was drawn by then is saved all the same, and ends with `JobSaved`, unless it waits
        for room on the disk.

        Raises `ParameterError` when no job that runs or waits has this id, and `EngineError` when
        the engine refuses or is lost, as the next two do.
        """
        await self._ask(Cancel(job_id=job_id))

    async def adjust(self, job_id: str, guidance_scale: float) -> None:
        """Change a job's guidance from its next step on; `GuidanceAdjusted` says from which.

        Raises `ParameterError` also when `guidance_scale` is out of its bounds.
        """
        await self._ask(Adjust(job_id=job_id, guidance_scale=guidance_scale))

    async def grant_preview(self) -> None:
        """Let the engine send one more preview."""
        await self._send(GrantPreview())

    async def show_latents(self, shown: bool) -> None:
        """Have x_t sent beside every preview, or not any more."""
        await self._send(ShowLatents(shown=shown))

    async def load_model(self, model: str, *, device: str = "auto", dtype: str = "auto") -> None:
        """Have a model loaded; `ModelLoaded` or `ModelFailed` says how it went.

        Refused while jobs run or are about to, which bring their own models.
        """
        await self._ask(LoadModel(model=model, device=device, dtype=dtype))

    async def search_gallery(
        self,
        words: str = "",
        *,
        favourites: bool = False,
        limit: int = PAGE_PICTURES,
        offset: int = 0,
    ) -> GallerySearched:
        """Past pictures whose prompts hold all `words`, newest first, and how many there are.

        Raises `EngineError` when the engine refuses or is lost, as the next two do.
        """
        request = SearchGallery(words=words, favourites=favourites, limit=limit, offset=offset)
        found: GallerySearched = await self._ask(request)
        return found

    async def set_favourite(self, job_id: str, favourite: bool) -> FavouriteSet:
        """Mark a past picture as a favourite, or not."""
        marked: FavouriteSet = await self._ask(SetFavourite(job_id=job_id, favourite=favourite))
        return marked

    async def delete_picture(self, job_id: str) -> PictureDeleted:
        """Have a past picture forgotten and its file removed."""
        deleted: PictureDeleted = await self._ask(DeletePicture(job_id=job_id))
        return deleted

    async def shutdown(self, *, force: bool = False) -> None:
        """End the engine and return when it has closed this connection.

        Raises `EngineError` when jobs run or wait and `force` is not set.
        """
        self._shutdown = asyncio.get_running_loop().create_future()
        try:
            await self._send(Shutdown(force=force))
            await self._shutdown
        finally:
            self._shutdown = None

    async def events(self) -> AsyncIterator[AnyEvent]:
        """Everything that happens, from `EngineStatus` and the job at hand on.

        Ends when the engine is lost or this client closes. Meant for one reader.
        """
        while (event := await self._events.get()) is not None:
            yield event
        self._events.put_nowait(None)

    async def close(self) -> None:
        """Leave; jobs go on."""
        self._receiving.cancel()
        await asyncio.wait({self._receiving})
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def _ask(self, request: AnsweredRequest) -> Any:
        """Send a request and return its answer, or raise what it was refused for.

        The answer is the event that is one, or the ids of the jobs that were queued.
        """
        asked = self._asked[request.request_id] = _Asked()
        try:
            await self._send(request)
            return await asked.answer
        finally:
            del self._asked[request.request_id]

    async def _send(self, request: Request) -> None:
        if self._loss is not None:
            raise self._loss
        try:
            self._writer.write(encode(request))
            await self._writer.drain()
        except ConnectionError:
            raise _lost() from None

    async def _receive(self) -> None:
        decoder: Decoder[AnyEvent | GalleryEvent] = Decoder(AnyEvent | GalleryEvent)
        try:
            while (event := await decoder.read(self._reader)) is not None:
                if isinstance(event, GalleryEvent):
                    self._settle(event.request_id, event)
                elif not self._answers(event):
                    self._events.put_nowait(event)
        except SdtuiError as error:
            self._loss = error
        finally:
            self._loss = self._loss or _lost()
            for asked in self._asked.values():
                asked.refuse(self._loss)
            if self._shutdown is not None and not self._shutdown.done():
                self._shutdown.set_result(None)
            self._events.put_nowait(None)

    def _settle(self, request_id: str, event: GalleryEvent | None) -> None:
        if asked := self._asked.get(request_id):
            asked.settle(event)

    def _answers(self, event: AnyEvent) -> bool:
        """Give `event` to the call that waits for it; true if nobody else needs to see it."""
        match event:
            case EngineStatus():
                self.status = event
            case JobQueued() if asked := self._asked.get(event.request_id):
                asked.job_ids.append(event.job_id)
            case RequestCarriedOut():
                self._settle(event.request_id, None)
                return True
            case RequestRefused() if asked := self._asked.get(event.request_id or ""):
                asked.refuse(_error(event))
                return True
            case RequestRefused() if self._shutdown is not None and not self._shutdown.done():
                self._shutdown.set_exception(_error(event))
                return True
        return False


async def stop_engine(*, force: bool = False) -> bool:
    """End the running engine, of whatever version; false if none runs.

    Raises `EngineError` when jobs run or wait and `force` is not set, and when it does not answer.
    """
    try:
        connection = await attach()
    except EngineNotRunningError:
        return False
    try:
        answer = await first_answer(connection, Shutdown(force=force))
    finally:
        connection[1].close()
    if isinstance(answer, RequestRefused):
        raise _error(answer)
    return True


def _error(refusal: RequestRefused) -> SdtuiError:
    if refusal.field is not None:
        reason = refusal.title.removeprefix(f"{refusal.field}: ")
        return ParameterError(refusal.field, reason, refusal.remedy)
    return EngineError(refusal.title, refusal.message, refusal.remedy)


def _lost() -> EngineError:
    return EngineError(
        "The engine was lost",
        "The connection to it ended.",
        "Start again: finished pictures are saved, and accepted jobs go on.",
    )
