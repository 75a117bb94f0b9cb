"""What a client asks of the engine, and the engine of its worker: imperatives."""

from __future__ import annotations

import secrets

import msgspec

from sdtui.params import GenerationParams


class Request(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """The base of everything that is asked."""


def _new_request_id() -> str:
    return secrets.token_hex(8)


class AnsweredRequest(Request, frozen=True, kw_only=True):
    """The base of what is answered under its `request_id`, to who asked alone.

    The answer is `RequestCarriedOut` or an event of its own, or else `RequestRefused`, which says
    why. A worker answers nothing: what it is sent is the engine's own decision.
    """

    request_id: str = msgspec.field(default_factory=_new_request_id)


class Attach(Request, frozen=True, kw_only=True):
    """Become a client.

    The engine answers `EngineStatus`, replays the jobs that run and wait, and ends with
    `EngineStatus` and `QueueChanged` as they are now.

    `version` is the client's `sdtui.__version__`; an engine of another version refuses.
    """

    version: str


class LoadModel(AnsweredRequest, frozen=True, kw_only=True):
    """Bring a model into memory without drawing. `device` and `dtype` may be "auto".

    The answer comes before the model does: `ModelLoaded` or `ModelFailed` say how it went. While
    jobs run or are about to, which bring their own models, it is refused.
    """

    model: str
    device: str = "auto"
    dtype: str = "auto"


class Submit(AnsweredRequest, frozen=True, kw_only=True):
    """Queue a generation, or a `batch` of them with seeds that follow one another: all or none.

    Each is a job of its own: answered by their `JobQueued` with this `request_id` and then
    `RequestCarriedOut`, or by `RequestRefused`.
    """

    params: GenerationParams
    device: str = "auto"
    dtype: str = "auto"
    batch: int = 1


class RunJob(Request, frozen=True, kw_only=True):
    """From the engine to its worker: run this job now.

    `guidance_scale` is what the user changed it to while the job waited, None if nobody did.
    """

    job_id: str
    params: GenerationParams
    device: str = "auto"
    dtype: str = "auto"
    guidance_scale: float | None = None


class Cancel(AnsweredRequest, frozen=True, kw_only=True):
    """Stop a queued or running job before its next step; refused for any other job.

    A running job stops some time after the answer, which `JobCancelled` tells, or `JobSaved` where
    it was drawn by then and has room on the disk.
    """

    job_id: str


class Adjust(AnsweredRequest, frozen=True, kw_only=True):
    """Change a running job from its next step on, or how a waiting one will be drawn.

    Refused for any other job.
    """

    job_id: str
    guidance_scale: float


class GrantPreview(Request, frozen=True, kw_only=True):
    """The client can show one more frame. Without a credit the worker decodes no preview.

    From the engine to its worker, `latents` asks for x_t beside it. A second grant before the frame
    is made adds no frame, but may add that.
    """

    latents: bool = False


class ShowLatents(Request, frozen=True, kw_only=True):
    """From now on the client shows x_t beside each preview, or does not any more."""

    shown: bool


class Shutdown(Request, frozen=True, kw_only=True):
    """End the engine. With `force`, also while jobs run or wait."""

    force: bool = False


# The queue. What came of these is told to every client by `QueueChanged`.


class MoveUp(AnsweredRequest, frozen=True, kw_only=True):
    """Let a waiting job change places with the one before it; the first one stays."""

    job_id: str


class Requeue(AnsweredRequest, frozen=True, kw_only=True):
    """Let a job that failed, was cancelled or is parked wait anew behind all others."""

    job_id: str


class ClearEnded(AnsweredRequest, frozen=True, kw_only=True):
    """Forget the jobs that failed or were cancelled, or the one of this `job_id`.

    Parked ones wait for somebody to queue them again, so they are only forgotten one by one. Jobs
    that run or wait, and those that became pictures, never are.
    """

    job_id: str | None = None


class PauseQueue(AnsweredRequest, frozen=True, kw_only=True):
    """Let no waiting job begin, in this engine or a later one. The running job goes on."""


class ResumeQueue(AnsweredRequest, frozen=True, kw_only=True):
    """Let the waiting jobs go on."""


class ReopenLog(Request, frozen=True, kw_only=True):
    """The log was put aside: from now on the worker appends to the new one."""


QueueRequest = MoveUp | Requeue | ClearEnded | PauseQueue | ResumeQueue

ClientRequest = (
    Attach
    | LoadModel
    | Submit
    | Cancel
    | Adjust
    | GrantPreview
    | ShowLatents
    | QueueRequest
    | Shutdown
)
WorkerRequest = LoadModel | RunJob | Cancel | Adjust | GrantPreview | ReopenLog | Shutdown
