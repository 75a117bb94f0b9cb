"""From the engine's events to Textual's messages: the one place where the two worlds meet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Protocol

import msgspec
from textual.message import Message
from textual.message_pump import MessagePump
from textual.widget import Widget

from sdtui.errors import SdtuiError
from sdtui.models import catalogue
from sdtui.params import GenerationParams, wanted_device, wanted_dtype
from sdtui.protocol.events import (
    FINAL_EVENTS,
    EngineStatus,
    Event,
    JobEvent,
    JobQueued,
    JobStarted,
    PreviewReady,
    QueueChanged,
    StepCompleted,
)
from sdtui.protocol.gallery import PAGE_PICTURES, FavouriteSet, GallerySearched, PictureDeleted
from sdtui.tui.messages import (
    EngineConnected,
    EngineLost,
    EventReceived,
    FrameArrived,
    StepsCompleted,
)
from sdtui.tui.pace import before_beat

FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 0.5, 8.0


class Client(Protocol):
    """What the interface needs of `sdtui.engine.client.EngineClient`."""

    @property
    def status(self) -> EngineStatus | None:
        """The newest status."""

    async def submit_batch(
        self, params: GenerationParams, count: int, *, device: str, dtype: str
    ) -> list[str]:
        """Queue generations with seeds that follow one another and return their job ids."""

    async def cancel(self, job_id: str) -> None:
        """Stop a job."""

    async def move_up(self, job_id: str) -> None:
        """Let a waiting job change places with the one before it."""

    async def requeue(self, job_id: str) -> None:
        """Let a job that ended without a picture wait again."""

    async def clear_ended(self, job_id: str | None = None) -> None:
        """Forget the jobs that failed or were cancelled, or one that ended without a picture."""

    async def pause_queue(self) -> None:
        """Let no waiting job begin."""

    async def resume_queue(self) -> None:
        """Let the waiting jobs go on."""

    async def adjust(self, job_id: str, guidance_scale: float) -> None:
        """Change the guidance of a running job."""

    async def grant_preview(self) -> None:
        """Say that one more frame can be shown."""

    async def show_latents(self, shown: bool) -> None:
        """Have x_t sent beside every preview, or not any more."""

    async def load_model(self, model: str, *, device: str, dtype: str) -> None:
        """Bring a model into memory."""

    async def search_gallery(
        self,
        words: str = "",
        *,
        favourites: bool = False,
        limit: int = PAGE_PICTURES,
        offset: int = 0,
    ) -> GallerySearched:
        """Past pictures whose prompts hold all `words`, newest first."""

    async def set_favourite(self, job_id: str, favourite: bool) -> FavouriteSet:
        """Mark a past picture as a favourite, or not."""

    async def delete_picture(self, job_id: str) -> PictureDeleted:
        """Forget a past picture and remove its file."""

    def events(self) -> AsyncIterator[Event]:
        """Everything that happens, until the engine is lost."""

    async def close(self) -> None:
        """Leave the engine."""


Connect = Callable[[], Awaitable[Client]]
Find = Callable[[], Awaitable[Client | None]]


async def connect_to_engine() -> Client:
    """The real engine's client; its code is imported only when the first paint is over."""
    from sdtui.engine.client import EngineClient

    return await EngineClient.connect(start=True)


async def find_engine() -> Client | None:
    """The client of an engine that runs already, or None where none does."""
    from sdtui.engine.client import EngineClient
    from sdtui.engine.launch import EngineNotRunningError

    try:
        return await EngineClient.connect(start=False)
    except EngineNotRunningError:
        return None


class EngineBridge:
    """Keeps a connection to the engine and posts what happens to `target`.

    Of a job's events only those of the job in view pass: the one that started last. A preview
    goes into a slot that holds the newest frame alone, so that frames never wait in a queue. Steps
    are handed over together, just before the beat on which they are painted.
    `running` is the job that runs, whoever asked for it; `waiting` are those asked for here that
    have not begun. `watchers` are told what `target` is told, but for previews and steps. `queue`
    is the newest that is known of the whole queue. An engine that `is_stopped` had said that it
    would end: another one is started when the user wants one here, or found when it is started
    elsewhere.
    """

    def __init__(
        self, target: Widget, connect: Connect = connect_to_engine, find: Find = find_engine
    ) -> None:
        self._target = target
        self._connect = connect
        self._find = find
        self._wanted = asyncio.Event()
        self.is_stopped = False
        self._steps: list[StepCompleted] = []
        self._frame: PreviewReady | None = None
        self._owes_credit = False
        self._shows_latents = False
        self._in_view: str | None = None
        self.client: Client | None = None
        self.watchers: set[MessagePump] = set()
        self.queue: QueueChanged | None = None
        self.running: str | None = None
        self.waiting: list[str] = []

    async def run(self) -> None:
        """Connect, pass events on, and connect again when the engine is lost, until cancelled."""
        delay = FIRST_RETRY_SECONDS
        while True:
            error: SdtuiError | None = None
            was_there = False
            try:
                self.client = await (self._find() if self.is_stopped else self._connect())
                if self.client is not None:
                    was_there = True
                    self.is_stopped = False
                    delay = FIRST_RETRY_SECONDS
                    await self._follow(self.client)
            except SdtuiError as raised:
                error = raised
            finally:
                await self._leave()
            if was_there or error is not None:
                self._tell(EngineLost, error)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), delay)
            self._wanted.clear()
            delay = min(delay * 2, LAST_RETRY_SECONDS)

    def want_engine(self) -> None:
        """Start one again after the last one was stopped."""
        if self.is_stopped:
            self.is_stopped = False
            self._wanted.set()

    async def submit(self, params: GenerationParams, count: int = 1) -> bool:
        """Queue generations. False while no engine is connected."""
        client = self.client
        if client is None:
            return False
        # The folder may be on a disk that takes its time.
        model = await asyncio.to_thread(catalogue.from_anywhere, params.model)
        params = msgspec.structs.replace(params, model=model)
        asked = client.submit_batch(params, count, device=wanted_device(), dtype=wanted_dtype())
        for job_id in await asked:
            if job_id != self._in_view:
                self.waiting.append(job_id)
        return True

    async def stop(self) -> None:
        """Stop the job that runs, else the newest that was asked for here."""
        jobs = [self.running] if self.running else self.waiting[-1:]
        for job_id in jobs:
            if self.client is not None:
                await self.client.cancel(job_id)

    async def adjust(self, guidance_scale: float) -> None:
        """Change the guidance of the job that runs."""
        if self.client is not None and self.running is not None:
            await self.client.adjust(self.running, guidance_scale)

    async def load_model(self, model: str) -> None:
        """Bring a model into memory."""
        client = self.client
        if client is None:
            self.want_engine()
        else:
            model = await asyncio.to_thread(catalogue.from_anywhere, model)
            await client.load_model(model, device=wanted_device(), dtype=wanted_dtype())

    async def show_latents(self, shown: bool) -> None:
        """Have x_t beside the previews, from this engine and the next ones, or not any more."""
        self._shows_latents = shown
        if self.client is not None:
            await self.client.show_latents(shown)

    async def grant_preview(self) -> None:
        """Answer the last preview: one more can be shown."""
        if self._owes_credit and self.client is not None:
            self._owes_credit = False
            await self.client.grant_preview()

    def take_frame(self) -> PreviewReady | None:
        """The newest preview of the job in view, once. It is answered by `grant_preview`."""
        frame, self._frame = self._frame, None
        self._owes_credit = True
        return frame if frame is not None and frame.job_id == self._in_view else None

    async def _follow(self, client: Client) -> None:
        self._tell(EngineConnected, client.status)
        if self._shows_latents:
            await client.show_latents(True)
        self._owes_credit = True
        await self.grant_preview()
        async for event in client.events():
            self._route(event)

    async def _leave(self) -> None:
        client, self.client = self.client, None
        self.running, self.waiting, self.queue = None, [], None
        if client is not None:
            self.is_stopped = client.status is not None and client.status.state == "stopping"
            await client.close()

    def _route(self, event: Event) -> None:
        if isinstance(event, JobEvent) and not self._follow_job(event):
            return
        if isinstance(event, PreviewReady):
            waiting, self._frame = self._frame, event
            if waiting is None:
                self._target.post_message(FrameArrived())
            return
        if isinstance(event, StepCompleted):
            self._steps.append(event)
            before_beat(self._target, self._hand_over_steps)
            return
        if isinstance(event, QueueChanged):
            self.queue = event
        self._tell(EventReceived, event)

    def _hand_over_steps(self) -> None:
        if self._steps:
            steps, self._steps = self._steps, []
            self._target.post_message(StepsCompleted(steps))

    def _tell(self, message: Callable[..., Message], *of: object) -> None:
        self._hand_over_steps()
        for pump in (self._target, *self.watchers):
            pump.post_message(message(*of))

    def _follow_job(self, event: JobEvent) -> bool:
        """Keep account of what runs and waits; whether the event concerns the view."""
        ours_ended = isinstance(event, FINAL_EVENTS) and event.job_id in self.waiting
        if isinstance(event, JobStarted):
            self.running = self._in_view = event.job_id
        if isinstance(event, (JobStarted, *FINAL_EVENTS)) and event.job_id in self.waiting:
            self.waiting.remove(event.job_id)
        if isinstance(event, FINAL_EVENTS) and event.job_id == self.running:
            self.running = None
        if ours_ended and self.running is None:
            return True
        if isinstance(event, JobQueued):
            return self.running is None
        return event.job_id == self._in_view
