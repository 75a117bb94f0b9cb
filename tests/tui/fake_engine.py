"""An engine's client that replays a run written by hand: the double of the screen's tests."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator, Sequence
from io import BytesIO

import msgspec
from PIL import Image

from sdtui.errors import EngineError, SdtuiError
from sdtui.params import GenerationParams, batch_of
from sdtui.protocol.events import (
    DenoisingStarted,
    EngineStatus,
    Event,
    GuidanceAdjusted,
    ImageDecoded,
    JobCancelled,
    JobFailed,
    JobParked,
    JobQueued,
    JobSaved,
    JobStarted,
    LatentsDrawn,
    LatentsFrame,
    ListedJob,
    ModelLoaded,
    PreviewReady,
    PromptEncoded,
    PromptTokenized,
    QueueChanged,
    StepCompleted,
    Token,
    TokenizedText,
)
from sdtui.protocol.gallery import (
    PAGE_PICTURES,
    FavouriteSet,
    GalleryPicture,
    GallerySearched,
    PictureDeleted,
)

SAVED_PATH = "/pictures/2026-01-02/0001-a-red-apple-42.png"
APPLE = [(49406, "<|startoftext|>"), (320, "a</w>"), (736, "red</w>"), (3055, "apple</w>")]
END = (49407, "<|endoftext|>")


def idle_status(**changes: object) -> EngineStatus:
    """An engine with the bundled model in memory."""
    values: dict[str, object] = {
        "time": 0.0,
        "state": "idle",
        "version": "0.1.0",
        "pid": 1,
        "model": "pocket",
        "device": "cpu",
        "dtype": "float32",
    }
    return EngineStatus(**(values | changes))  # type: ignore[arg-type]


def tokenized(text: str, pairs: list[tuple[int, str]]) -> TokenizedText:
    """A prompt's tokens with their padding."""
    tokens = [Token(*pair) for pair in [*pairs, END]]
    return TokenizedText(text=text, tokens=tokens, padding=77 - len(tokens), pad_token_id=END[0])


def disc(size: int, sharpness: float) -> bytes:
    """A red disc on a pale ground that grows out of grey: RGB8, `size` by `size`."""
    pixels = bytearray()
    for y in range(size):
        for x in range(size):
            distance = math.hypot(x - size / 2 + 0.5, y - size / 2 + 0.5) / (size / 2)
            inside = min(max((0.75 - distance) * 12, 0.0), 1.0)
            colour = [244 - 34 * inside, 240 - 195 * inside, 230 - 190 * inside]
            pixels += bytes(round(128 + (part - 128) * sharpness) for part in colour)
    return bytes(pixels)


def before_the_loop(job_id: str, params: GenerationParams) -> list[Event]:
    """From the start to the first step."""
    count = params.num_inference_steps
    sigmas = [14.6 * (1 - i / count) ** 2 + 0.03 for i in range(count)]
    return [
        JobStarted(job_id=job_id, time=0.0, params=params),
        PromptTokenized(
            job_id=job_id,
            time=0.0,
            sequence_length=77,
            vocabulary=49408,
            prompt=tokenized(params.prompt, APPLE),
            negative_prompt=tokenized(params.negative_prompt, APPLE[:1]),
        ),
        PromptEncoded(
            job_id=job_id,
            time=0.0,
            shape=(1, 77, 160),
            guided_shape=(2, 77, 160),
            dtype="float32",
            norm=110.9,
            negative_norm=108.2,
            seconds=0.012,
        ),
        LatentsDrawn(
            job_id=job_id,
            time=0.0,
            seed=params.seed,
            shape=(1, 4, params.height // 8, params.width // 8),
            dtype="float32",
            mean=0.003,
            std=0.998,
            init_noise_sigma=1.0,
            device="cpu",
            memory=412_000_000,
        ),
        DenoisingStarted(
            job_id=job_id,
            time=0.0,
            scheduler=params.scheduler,
            prediction_type="epsilon",
            guidance_scale=params.guidance_scale,
            timesteps=[999 - 999 * i / count for i in range(count)],
            sigmas=sigmas,
        ),
    ]


def noise(size: int, share: float) -> bytes:
    """The disc under noise that fades: RGB8, `size` by `size`."""
    grains = random.Random(0).randbytes(size * size * 3)
    return bytes(
        round(grain * share + part * (1 - share))
        for grain, part in zip(grains, disc(size, 1.0), strict=True)
    )


def step(
    job_id: str, params: GenerationParams, index: int, *, with_latents: bool = False
) -> list[Event]:
    """One step and its preview."""
    count = params.num_inference_steps
    left = 1 - index / count
    return [
        StepCompleted(
            job_id=job_id,
            time=0.0,
            step_index=index,
            count=count,
            timestep=999 * left,
            sigma=14.6 * left**2 + 0.03,
            latents_mean=0.001,
            latents_std=0.62 + 0.4 * left,
            guidance_scale=params.guidance_scale,
            guidance_norm=2.0 + 6.0 * math.sin(math.pi * (1 - left)),
            seconds=0.041,
            preview_seconds=0.001,
        ),
        PreviewReady(
            job_id=job_id,
            time=0.0,
            step_index=index,
            count=count,
            width=32,
            height=32,
            rgb=disc(32, (index + 1) / count),
            latents=LatentsFrame(width=32, height=32, rgb=noise(32, left))
            if with_latents
            else None,
        ),
    ]


def ending(job_id: str) -> list[Event]:
    """The picture and its file."""
    return [
        ImageDecoded(
            job_id=job_id, time=0.0, width=128, height=128, rgb=disc(128, 1.0), seconds=0.05
        ),
        JobSaved(job_id=job_id, time=0.0, path=SAVED_PATH, size=21_400, seconds=1.26),
    ]


def listed(job_id: str, params: GenerationParams, state: str, **why: str) -> ListedJob:
    """A job as a line of the queue."""
    return ListedJob(
        job_id=job_id,
        state=state,
        since=1_767_366_000.0,
        prompt=params.prompt,
        model=params.model,
        width=params.width,
        height=params.height,
        num_inference_steps=params.num_inference_steps,
        seed=params.seed,
        **why,
    )


def png(width: int, height: int, hue: int) -> bytes:
    """A thumbnail: a disc in one of six colours."""
    buffer = BytesIO()
    image = Image.frombytes("RGB", (96, 96), disc(96, 1.0))
    bands = image.split()
    order = [(0, 1, 2), (1, 0, 2), (2, 1, 0), (0, 0, 2), (1, 0, 0), (1, 1, 0)][hue % 6]
    image = Image.merge("RGB", [bands[band] for band in order])
    scale = 96 / max(width, height)
    image.resize((round(width * scale), round(height * scale))).save(buffer, "png")
    return buffer.getvalue()


def past_pictures(count: int, **changes: object) -> list[GalleryPicture]:
    """Pictures made a minute apart, newest first."""
    things = ("a red apple on a blue background", "a fox", "a cactus in a small pot", "a violin")
    sizes = ((128, 128), (192, 128), (128, 192))
    pictures = []
    for index in range(count):
        width, height = sizes[index % len(sizes)]
        values: dict[str, object] = {
            "job_id": f"past-{count - index}",
            "params": GenerationParams(
                prompt=things[index % len(things)],
                negative_prompt="blurry" if index % 2 else "",
                seed=42 + index,
                width=width,
                height=height,
                preview_every=0,
            ),
            "path": f"/pictures/2026-01-02/{count - index:04}-a-thing-{42 + index}.png",
            "exists": True,
            "width": width,
            "height": height,
            "size": 21_400,
            "saved_at": 1_767_366_000.0 - 60 * index,
            "seconds": 1.26,
            "favourite": index % 4 == 1,
            "thumbnail": png(width, height, index),
        }
        pictures.append(GalleryPicture(**(values | changes)))  # type: ignore[arg-type]
    return pictures


class FakeEngineClient:
    """Answers as an engine would, one run at a time, as fast as events are taken.

    `stop_after` holds every run after that many steps, until `finish` or `cancel`; `failure` ends
    it there instead. `pictures` are those of the gallery, newest first. `with_latents` says that
    another client shows x_t. `calls` records what was asked; with a `refusal`, what would change a
    job, the queue or the model is refused so.
    """

    def __init__(
        self,
        *,
        stop_after: int | None = None,
        failure: tuple[str, str, str] | None = None,
        status: EngineStatus | None = None,
        pictures: Sequence[GalleryPicture] = (),
        with_latents: bool = False,
    ) -> None:
        self.pictures = list(pictures)
        self.status = status or idle_status()
        self.calls: list[tuple[object, ...]] = []
        self.placements: list[tuple[str, str]] = []
        self.refusal: SdtuiError | None = None
        self._stop_after = stop_after
        self._failure = failure
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._running: tuple[str, GenerationParams, int] | None = None
        self._waiting: dict[str, GenerationParams] = {}
        self._ended: dict[str, tuple[GenerationParams, JobCancelled | JobFailed]] = {}
        self._paused = self.status.paused
        self._shows_latents = with_latents
        self._count = 0
        self.tell(self.status, self._queue_now())

    def tell(self, *events: Event) -> None:
        """Send events to the interface."""
        for event in events:
            self._queue.put_nowait(event)

    def lose(self) -> None:
        """End the connection as a dying engine does."""
        self._queue.put_nowait(None)

    def submitted(self) -> list[GenerationParams]:
        """The parameters of every generation asked for."""
        return [call[1] for call in self.calls if call[0] == "submit"]  # type: ignore[misc]

    def finish(self) -> None:
        """Let a held run end."""
        assert self._running is not None
        job_id, params, done = self._running
        for index in range(done, params.num_inference_steps):
            self._step(job_id, params, index)
        self._end(*ending(job_id))

    async def submit_batch(
        self, params: GenerationParams, count: int, *, device: str = "auto", dtype: str = "auto"
    ) -> list[str]:
        """Run the first at once, up to where runs are held, if nothing runs."""
        self.placements.append((device, dtype))
        job_ids = []
        for one in batch_of(params, count):
            self._count += 1
            job_id = f"job-{self._count}"
            job_ids.append(job_id)
            self.calls.append(("submit", one))
            position = len(self._waiting) + (self._running is not None)
            self._waiting[job_id] = one
            self.tell(
                JobQueued(job_id=job_id, time=0.0, request_id="r", params=one, position=position)
            )
        self._proceed()
        return job_ids

    def _proceed(self) -> None:
        """Begin what waits, if nothing runs, and tell how the engine and its queue are."""
        if self._waiting and self._running is None and not self._paused:
            job_id = next(iter(self._waiting))
            self.run(job_id, self._waiting.pop(job_id))
        else:
            self.tell(self._status_now())
        self.tell(self._queue_now())

    def _status_now(self) -> EngineStatus:
        running = self._running[0] if self._running else None
        self.status = msgspec.structs.replace(
            self.status,
            state="running" if running else "idle",
            running_job_id=running,
            queued=len(self._waiting),
            paused=self._paused,
        )
        return self.status

    def _queue_now(self) -> QueueChanged:
        jobs = []
        if self._running is not None:
            jobs.append(listed(*self._running[:2], "running"))
        jobs += [listed(job_id, params, "queued") for job_id, params in self._waiting.items()]
        for job_id, (params, end) in reversed(self._ended.items()):
            state = {JobCancelled: "cancelled", JobFailed: "failed", JobParked: "parked"}[type(end)]
            why = (
                {}
                if isinstance(end, JobCancelled)
                else {key: getattr(end, key) for key in ("title", "message", "remedy")}
            )
            jobs.append(listed(job_id, params, state, **why))
        return QueueChanged(time=0.0, paused=self._paused, jobs=jobs)

    async def move_up(self, job_id: str) -> None:
        """Change places with the one before it."""
        self.calls.append(("move_up", job_id))
        order = list(self._waiting)
        place = order.index(job_id)
        order.insert(max(place - 1, 0), order.pop(place))
        self._waiting = {job_id: self._waiting[job_id] for job_id in order}
        self._proceed()

    async def requeue(self, job_id: str) -> None:
        """Let a job that ended wait again."""
        self.calls.append(("requeue", job_id))
        params, _ = self._ended.pop(job_id)
        self._waiting[job_id] = params
        position = len(self._waiting) - 1 + (self._running is not None)
        self.tell(
            JobQueued(job_id=job_id, time=0.0, request_id="r", params=params, position=position)
        )
        self._proceed()

    async def clear_ended(self, job_id: str | None = None) -> None:
        """Forget what failed or was cancelled, or one job."""
        self.calls.append(("clear_ended", job_id))
        self._refuse()
        self._ended = {
            other: (params, end)
            for other, (params, end) in self._ended.items()
            if other != job_id and (job_id is not None or isinstance(end, JobParked))
        }
        self._proceed()

    async def pause_queue(self) -> None:
        """Hold the waiting jobs back."""
        self.calls.append(("pause_queue",))
        self._refuse()
        self._paused = True
        self._proceed()

    async def resume_queue(self) -> None:
        """Let the waiting jobs go on."""
        self.calls.append(("resume_queue",))
        self._paused = False
        self._proceed()

    def run(self, job_id: str, params: GenerationParams) -> None:
        """Tell of a run from its beginning."""
        self._running = (job_id, params, 0)
        self.tell(self._status_now())
        self.tell(*before_the_loop(job_id, params))
        count = params.num_inference_steps
        done = count if self._stop_after is None else min(self._stop_after, count)
        for index in range(done):
            self._step(job_id, params, index)
        self._running = (job_id, params, done)
        if self._failure is not None:
            title, message, remedy = self._failure
            self._end(
                JobFailed(job_id=job_id, time=0.0, title=title, message=message, remedy=remedy)
            )
        elif self._stop_after is None:
            self._end(*ending(job_id))

    def _step(self, job_id: str, params: GenerationParams, index: int) -> None:
        self.tell(*step(job_id, params, index, with_latents=self._shows_latents))

    def _end(self, *events: Event) -> None:
        assert self._running is not None
        job_id, params, _ = self._running
        self._running = None
        if isinstance(events[-1], JobCancelled | JobFailed):
            self._ended[job_id] = params, events[-1]
        self.tell(*events)
        self._proceed()

    def _refuse(self) -> None:
        if self.refusal is not None:
            raise self.refusal

    async def cancel(self, job_id: str) -> None:
        """Stop a held run, or one that waits."""
        self.calls.append(("cancel", job_id))
        self._refuse()
        if job_id in self._waiting:
            cancelled = JobCancelled(job_id=job_id, time=0.0, completed=0, count=0)
            self._ended[job_id] = self._waiting.pop(job_id), cancelled
            self.tell(cancelled)
            self._proceed()
        elif self._running is not None and self._running[0] == job_id:
            _, params, done = self._running
            self._end(
                JobCancelled(
                    job_id=job_id, time=0.0, completed=done, count=params.num_inference_steps
                )
            )

    async def adjust(self, job_id: str, guidance_scale: float) -> None:
        """Say that the guidance changed."""
        self.calls.append(("adjust", job_id, guidance_scale))
        self._refuse()
        done = self._running[2] if self._running else 0
        self.tell(
            GuidanceAdjusted(
                job_id=job_id, time=0.0, step_index=done, guidance_scale=guidance_scale
            )
        )

    async def grant_preview(self) -> None:
        """Record the credit."""
        self.calls.append(("grant_preview",))

    async def show_latents(self, shown: bool) -> None:
        """Send x_t from the next preview on, or not any more."""
        self.calls.append(("show_latents", shown))
        self._shows_latents = shown

    async def load_model(self, model: str, *, device: str = "auto", dtype: str = "auto") -> None:
        """Load at once."""
        self.placements.append((device, dtype))
        self.calls.append(("load_model", model))
        self._refuse()
        self.tell(
            ModelLoaded(
                time=0.0,
                model=model,
                device="cpu",
                device_name="CPU",
                dtype="float32",
                parameters=11_000_000,
                size=44_000_000,
                memory=412_000_000,
                seconds=0.4,
            )
        )

    async def search_gallery(
        self,
        words: str = "",
        *,
        favourites: bool = False,
        limit: int = PAGE_PICTURES,
        offset: int = 0,
    ) -> GallerySearched:
        """Find by the beginnings of words."""
        self.calls.append(("search_gallery", words, favourites, offset))
        found = [
            picture
            for picture in self.pictures
            if (picture.favourite or not favourites)
            and all(f" {word}" in f" {picture.params.prompt}" for word in words.split())
        ]
        return GallerySearched(
            request_id="r", pictures=found[offset : offset + limit], total=len(found)
        )

    async def set_favourite(self, job_id: str, favourite: bool) -> FavouriteSet:
        """Mark a picture."""
        self.calls.append(("set_favourite", job_id, favourite))
        at = self._place(job_id)
        self.pictures[at] = msgspec.structs.replace(self.pictures[at], favourite=favourite)
        return FavouriteSet(request_id="r", job_id=job_id, favourite=favourite)

    async def delete_picture(self, job_id: str) -> PictureDeleted:
        """Forget a picture."""
        self.calls.append(("delete_picture", job_id))
        deleted = self.pictures.pop(self._place(job_id))
        return PictureDeleted(request_id="r", job_id=job_id, file_removed=deleted.exists)

    def _place(self, job_id: str) -> int:
        for place, picture in enumerate(self.pictures):
            if picture.job_id == job_id:
                return place
        raise EngineError("The picture is not in the history", "It may have been deleted.")

    async def events(self) -> AsyncIterator[Event]:
        """Everything told, until the engine is lost."""
        while (event := await self._queue.get()) is not None:
            yield event

    async def close(self) -> None:
        """Record the leave-taking."""
        self.calls.append(("close",))
