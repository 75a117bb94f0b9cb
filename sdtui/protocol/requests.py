"""What a client asks of the engine, and the engine of its worker: imperatives."""

from __future__ import annotations

import msgspec

from sdtui.params import GenerationParams


class Request(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """The base of everything that is asked."""


class Attach(Request, frozen=True, kw_only=True):
    """Become a client. The engine answers `EngineStatus`, replays the job at hand, and repeats it.

    `version` is the client's `sdtui.__version__`; an engine of another version refuses.
    """

    version: str


class LoadModel(Request, frozen=True, kw_only=True):
    """Bring a model into memory without drawing. `device` and `dtype` may be "auto"."""

    model: str
    device: str = "auto"
    dtype: str = "auto"


class Submit(Request, frozen=True, kw_only=True):
    """Queue one generation. Answered by `JobQueued` or `RequestRefused` with this `request_id`."""

    request_id: str
    params: GenerationParams
    device: str = "auto"
    dtype: str = "auto"


class RunJob(Request, frozen=True, kw_only=True):
    """From the engine to its worker: run this job now.

    `guidance_scale` is what the user changed it to while the job waited, None if nobody did.
    """

    job_id: str
    params: GenerationParams
    device: str = "auto"
    dtype: str = "auto"
    guidance_scale: float | None = None


class Cancel(Request, frozen=True, kw_only=True):
    """Stop a queued or running job before its next step."""

    job_id: str


class Adjust(Request, frozen=True, kw_only=True):
    """Change a running job from its next step on."""

    job_id: str
    guidance_scale: float


class GrantPreview(Request, frozen=True, kw_only=True):
    """The client can show one more frame. Without a credit the worker decodes no preview."""


class Shutdown(Request, frozen=True, kw_only=True):
    """End the engine. With `force`, also while a job runs."""

    force: bool = False


ClientRequest = Attach | LoadModel | Submit | Cancel | Adjust | GrantPreview | Shutdown
WorkerRequest = LoadModel | RunJob | Cancel | Adjust | GrantPreview | Shutdown
