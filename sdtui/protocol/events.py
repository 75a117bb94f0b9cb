"""What happened, in the order of the lesson: past participles.

Every event carries `time` (UNIX time in seconds, when it happened) and those of a job its
`job_id`. Durations are in seconds, sizes in bytes, shapes as tuples of integers.
"""

from __future__ import annotations

import time as _time

import msgspec

from sdtui.errors import EngineError, GenerationError
from sdtui.params import GenerationParams


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """The base of everything that happened."""

    time: float = msgspec.field(default_factory=_time.time)


class JobEvent(Event, frozen=True, kw_only=True):
    """The base of everything that happened to one job."""

    job_id: str


# The engine and its model ----------------------------------------------------------------------


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """Why no job can run now, and what helps."""

    title: str
    message: str = ""
    remedy: str = ""


class EngineStatus(Event, frozen=True, kw_only=True):
    """How the engine is. Sent on attaching and whenever any of it changes.

    `state` is one of "starting" (the worker imports torch), "idle", "loading", "running",
    "restarting", "failing" (no job can run), "waiting for disk" (a picture or the
    queue waits for room, and goes on by itself) and "stopping". While it is failing,
    `trouble` says why, and jobs wait; the next one that is asked for tries again. `model`,
    `device` and `dtype` are empty while no model is loaded.
    `queued` counts the jobs that wait, without the running one, which is `running_job_id`. While
    the queue is `paused`, none of them begins. `visible_devices` are the variables with which it
    was started that say which GPUs it sees.
    """

    state: str
    version: str
    pid: int
    model: str = ""
    device: str = ""
    dtype: str = ""
    queued: int = 0
    paused: bool = False
    running_job_id: str | None = None
    trouble: Trouble | None = None
    visible_devices: dict[str, str] = {}


class RequestCarriedOut(Event, frozen=True, kw_only=True):
    """What a client asked for under this `request_id` was done. Only that client is told."""

    request_id: str


class RequestRefused(Event, frozen=True, kw_only=True):
    """A request was understood and not carried out. `field` is the parameter at fault, if any."""

    request_id: str | None = None
    title: str
    message: str = ""
    remedy: str = ""
    field: str | None = None


class DownloadProgressed(Event, frozen=True, kw_only=True):
    """Bytes of a model that arrived from the hub so far. `total` is 0 while it is unknown."""

    model: str
    file: str
    received: int
    total: int


class ComponentLoading(Event, frozen=True, kw_only=True):
    """A component (tokenizer, text_encoder, unet, vae, scheduler) is about to be read."""

    model: str
    component: str
    index: int
    count: int


class ComponentLoaded(Event, frozen=True, kw_only=True):
    """A component is in memory. `parameters` counts its weights, `size` their bytes there."""

    model: str
    component: str
    index: int
    count: int
    class_name: str
    parameters: int
    size: int
    seconds: float


class ModelLoaded(Event, frozen=True, kw_only=True):
    """All components are in memory. `memory` is what the process (or its device) holds in bytes."""

    model: str
    device: str
    device_name: str
    dtype: str
    parameters: int
    size: int
    memory: int
    seconds: float


class ModelFailed(Event, frozen=True, kw_only=True):
    """A model asked for by `LoadModel` could not be loaded."""

    model: str
    title: str
    message: str = ""
    remedy: str = ""


# One job, in order -----------------------------------------------------------------------------


class JobQueued(JobEvent, frozen=True, kw_only=True):
    """The job was accepted. `position` is how many jobs run or wait before it."""

    request_id: str
    params: GenerationParams
    position: int


class JobStarted(JobEvent, frozen=True, kw_only=True):
    """The worker took the job up."""

    params: GenerationParams


class Token(msgspec.Struct, frozen=True, array_like=True):
    """One position of the 77: its id and its text, `</w>` shown as the end of a word."""

    id: int
    text: str


class TokenizedText(msgspec.Struct, frozen=True, kw_only=True):
    """What the tokenizer made of one prompt.

    `tokens` are the used positions with both specials and without the padding; `padding` counts
    the padded positions behind them, each `pad_token_id`; `cut` is the text beyond the limit that
    the model does not see, empty when all of it fitted.
    """

    text: str
    tokens: list[Token]
    padding: int
    pad_token_id: int
    cut: str = ""


class PromptTokenized(JobEvent, frozen=True, kw_only=True):
    """Stage 1: text became ids. `sequence_length` is the model's (77 for CLIP).

    With this a job has all that it waits for, and computes from here to `ImageDecoded`: a worker
    that says it and then neither computes nor ends hangs.
    """

    sequence_length: int
    vocabulary: int
    prompt: TokenizedText
    negative_prompt: TokenizedText


class PromptEncoded(JobEvent, frozen=True, kw_only=True):
    """Stage 2: ids became embeddings.

    `shape` is that of one prompt's (1, 77, hidden), `guided_shape` what the U-Net receives: the
    concatenation (2, 77, hidden) of negative and prompt, or `shape` without guidance. The norms
    are Euclidean over all elements.
    """

    shape: tuple[int, ...]
    guided_shape: tuple[int, ...]
    dtype: str
    norm: float
    negative_norm: float
    seconds: float


class LatentsDrawn(JobEvent, frozen=True, kw_only=True):
    """Stage 3: seeded noise, (batch, channels, latent_height, latent_width), scaled.

    `mean` and `std` are those of the scaled latents. `memory` is what the process (or its
    device) holds in bytes.
    """

    seed: int
    shape: tuple[int, ...]
    dtype: str
    mean: float
    std: float
    init_noise_sigma: float
    device: str
    memory: int


class DenoisingStarted(JobEvent, frozen=True, kw_only=True):
    """Stage 4 begins. `timesteps` and `sigmas` have one entry a model call.

    There may be more of them than `num_inference_steps` (Heun, PNDM).
    """

    scheduler: str
    prediction_type: str
    guidance_scale: float
    timesteps: list[float]
    sigmas: list[float]


class StepCompleted(JobEvent, frozen=True, kw_only=True):
    """One turn of the loop. `step_index` counts from 0 and `count` is how many there are.

    `guidance_norm` is the Euclidean norm of noise_pred_text - noise_pred_uncond, absent when
    nothing guides. `seconds` is the turn's own time without its preview, `preview_seconds` the
    preview's, 0.0 when none was made.
    """

    step_index: int
    count: int
    timestep: float
    sigma: float
    latents_mean: float
    latents_std: float
    guidance_scale: float
    guidance_norm: float | None
    seconds: float
    preview_seconds: float = 0.0


class GuidanceAdjusted(JobEvent, frozen=True, kw_only=True):
    """The guidance scale is another one from `step_index` on."""

    step_index: int
    guidance_scale: float


class LatentsFrame(msgspec.Struct, frozen=True, kw_only=True):
    """Latents seen as colours: RGB8, row by row, one pixel a latent."""

    width: int
    height: int
    rgb: bytes


class PreviewReady(JobEvent, frozen=True, kw_only=True):
    """The x0 estimate after `step_index` as RGB8, row by row, `width * height * 3` bytes.

    `width` and `height` are the frame's own, often an eighth of the picture's. `latents` is x_t, of
    which x0 is the estimate; it is made while a client shows it, and may come to others as well.
    """

    step_index: int
    count: int
    width: int
    height: int
    rgb: bytes
    latents: LatentsFrame | None = None


class ImageDecoded(JobEvent, frozen=True, kw_only=True):
    """Stage 5: latents became the picture, RGB8.

    `upcast` says that half precision overflowed, `tiled` that memory ran out and the picture was
    decoded in overlapping tiles. `unet_sha256` is the hash of the U-Net's weights file, empty while
    it is not known.
    """

    width: int
    height: int
    rgb: bytes
    seconds: float
    upcast: bool = False
    tiled: bool = False
    unet_sha256: str = ""


class SavingDelayed(JobEvent, frozen=True, kw_only=True):
    """The picture waits in memory, and the queue behind it, until the disk takes it."""

    title: str
    message: str = ""
    remedy: str = ""


class JobInterrupted(JobEvent, frozen=True, kw_only=True):
    """The worker ended during the job, which begins again from its parameters."""

    title: str
    message: str = ""
    remedy: str = ""


class JobSaved(JobEvent, frozen=True, kw_only=True):
    """The picture is a file. `seconds` is how long its job took, as the history has it."""

    path: str
    size: int
    seconds: float


class JobCancelled(JobEvent, frozen=True, kw_only=True):
    """The user stopped the job after `completed` of `count` steps (0 of 0 before the loop)."""

    completed: int
    count: int


class JobFailed(JobEvent, frozen=True, kw_only=True):
    """The job ended with an error. `exit_code` is that of a command that waited for it."""

    title: str
    message: str = ""
    remedy: str = ""
    exit_code: int = GenerationError.exit_code


class JobParked(JobFailed, frozen=True, kw_only=True):
    """The job was interrupted once too often. It is kept, and runs when someone queues it again."""

    exit_code: int = EngineError.exit_code


# The queue -------------------------------------------------------------------------------------


GOING_ON = ("running", "queued")
"""The states of a job that has not ended."""


class ListedJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job as a line of a list.

    `state` is "running", "queued", "failed", "cancelled" or "parked", and `since` the UNIX time
    from which on it is so. `prompt` is shortened. `title`, `message` and `remedy` say why it failed
    or is parked.
    """

    job_id: str
    state: str
    since: float
    prompt: str
    model: str
    width: int
    height: int
    num_inference_steps: int
    seed: int
    title: str = ""
    message: str = ""
    remedy: str = ""


class QueueChanged(Event, frozen=True, kw_only=True):
    """The whole queue as it is now. Sent on attaching, and once for what changes in a moment.

    `jobs` are the running one, those that wait in their order, and the newest of those that ended
    without a picture and can be queued again.
    """

    paused: bool
    jobs: list[ListedJob]


LoadingEvent = DownloadProgressed | ComponentLoading | ComponentLoaded | ModelLoaded | ModelFailed

AnyEvent = (
    EngineStatus
    | QueueChanged
    | RequestCarriedOut
    | RequestRefused
    | DownloadProgressed
    | ComponentLoading
    | ComponentLoaded
    | ModelLoaded
    | ModelFailed
    | JobQueued
    | JobStarted
    | PromptTokenized
    | PromptEncoded
    | LatentsDrawn
    | DenoisingStarted
    | StepCompleted
    | GuidanceAdjusted
    | PreviewReady
    | ImageDecoded
    | SavingDelayed
    | JobInterrupted
    | JobSaved
    | JobCancelled
    | JobFailed
    | JobParked
)


class WorkerReady(Event, frozen=True, kw_only=True):
    """From the worker to its engine: torch is imported, requests are taken."""

    torch_version: str


class DeviceFailed(Event, frozen=True, kw_only=True):
    """From the worker to its engine, its last words: `message` is what the device failed with."""

    message: str


WorkerEvent = (
    WorkerReady
    | DownloadProgressed
    | ComponentLoading
    | ComponentLoaded
    | ModelLoaded
    | ModelFailed
    | JobStarted
    | PromptTokenized
    | PromptEncoded
    | LatentsDrawn
    | DenoisingStarted
    | StepCompleted
    | GuidanceAdjusted
    | PreviewReady
    | ImageDecoded
    | JobCancelled
    | JobFailed
)

FINAL_EVENTS = (JobSaved, JobCancelled, JobFailed, JobParked)
"""A job ends with exactly one of these."""
