"""FakeWorker: speaks the worker's protocol without torch, and misbehaves on request.

The prompt says what to do, in words: `pause=0.05` (seconds a step), `die=3` (SIGKILL itself before
that step), `die-once=3` (the same, but only the first time that this engine's folder sees it),
`hang-once=3` (say and compute nothing more, the first time), `fetch=3` (seconds of waiting for the
model's files), `hold=3` (wait before that step until this engine's folder holds a file `go`),
`busy=3` (seconds of computing before the first step), `say=x` (a line for the log), `fail` (report
an error), `noise` (draw what does not compress). Three models take their time until this engine's
folder holds a file `go`: `held` does nothing, `remote` is downloaded, and `filling` fills memory.
One that is called `stuck` asks its device for ever, the first time.
Every other picture is one grey of `params.seed`. With `--broken` it does not start until this
engine's folder holds a file `mended`; with `--fleeting` it ends as soon as it is ready until then,
and notes each time in a file `starts`.
"""

from __future__ import annotations

import math
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from sdtui.engine import log_file
from sdtui.protocol.codec import Decoder, encode
from sdtui.protocol.events import (
    ComponentLoading,
    DownloadProgressed,
    GuidanceAdjusted,
    ImageDecoded,
    JobCancelled,
    JobFailed,
    JobStarted,
    LatentsFrame,
    ModelLoaded,
    PreviewReady,
    PromptTokenized,
    StepCompleted,
    Token,
    TokenizedText,
    WorkerReady,
)
from sdtui.protocol.requests import (
    Adjust,
    Cancel,
    GrantPreview,
    LoadModel,
    ReopenLog,
    RunJob,
    WorkerRequest,
)


def is_first_time() -> bool:
    """Whether this engine's folder has seen no fault yet; the next one to ask is the second."""
    mark = Path(os.environ["SDTUI_HOME"]) / "faulted"
    if mark.exists():
        return False
    mark.touch()
    return True


def is_mended() -> bool:
    """Whether what this worker was started with is no fault any more."""
    return (Path(os.environ["SDTUI_HOME"]) / "mended").exists()


def wait_to_go(meanwhile: Callable[[], object] = lambda: None) -> None:
    """Wait until this engine's folder holds a file `go`."""
    while not (Path(os.environ["SDTUI_HOME"]) / "go").exists():
        meanwhile()
        time.sleep(0.01)


def compute(seconds: float) -> None:
    """Keep a core busy, as a step on a slow CPU does."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def tokenized(text: str) -> TokenizedText:
    """A text that begins, ends, and has no more tokens than these two."""
    tokens = [Token(49406, "<|startoftext|>"), Token(49407, "<|endoftext|>")]
    return TokenizedText(text=text, tokens=tokens, padding=75, pad_token_id=49407)


class FakeWorker:
    """Draws nothing, but says everything that a worker says."""

    def __init__(self) -> None:
        self.wire = os.fdopen(os.dup(1), "wb", buffering=0)
        self.work: queue.Queue[LoadModel | RunJob | None] = queue.Queue()
        self.cancelled: set[str] = set()
        self.guidance: dict[str, float] = {}
        self.credit = threading.Event()
        self.with_latents = threading.Event()
        self.model = ""

    def say(self, event: object) -> None:
        self.wire.write(encode(event))

    def listen(self) -> None:
        decoder: Decoder[WorkerRequest] = Decoder(WorkerRequest)
        with os.fdopen(0, "rb") as pipe:
            while (request := decoder.read_blocking(pipe)) is not None:
                match request:
                    case Cancel():
                        self.cancelled.add(request.job_id)
                    case Adjust():
                        self.guidance[request.job_id] = request.guidance_scale
                    case GrantPreview():
                        if request.latents:
                            self.with_latents.set()
                        self.credit.set()
                    case ReopenLog():
                        log_file.reopen()
                    case RunJob():
                        # It may have been cancelled and queued again.
                        self.cancelled.discard(request.job_id)
                        self.work.put(request)
                    case _:
                        self.work.put(request)
        os._exit(0)

    def load(self, model: str, device: str, *, asked: bool = False) -> None:
        """Who asked for the model is answered also where it is loaded already."""
        if self.model != model:
            if model == "remote":
                self.say(DownloadProgressed(model=model, file="unet", received=1, total=2))
                wait_to_go()
            self.say(ComponentLoading(model=model, component="unet", index=0, count=1))
            time.sleep(0.05)
            if model == "held":
                wait_to_go()
            if model == "filling":
                memory: list[bytes] = []
                wait_to_go(lambda: memory.append(bytes([1]) * 200_000))
            if model == "stuck" and is_first_time():
                compute(math.inf)
        elif not asked:
            return
        self.model = model
        self.say(
            ModelLoaded(
                model=model,
                device="cpu" if device == "auto" else device,
                device_name="fake",
                dtype="float32",
                parameters=1,
                size=4,
                memory=4,
                seconds=0.05,
            )
        )

    def draw(self, job: RunJob) -> None:
        params, job_id = job.params, job.job_id
        orders = dict(word.partition("=")[::2] for word in params.prompt.split())
        guidance = params.guidance_scale
        if job.guidance_scale is not None:
            self.guidance.setdefault(job_id, job.guidance_scale)
        count = params.num_inference_steps
        self.say(JobStarted(job_id=job_id, params=params))
        time.sleep(float(orders.get("fetch", 0)))
        self.load(params.model, job.device)
        self.say(
            PromptTokenized(
                job_id=job_id,
                sequence_length=77,
                vocabulary=49408,
                prompt=tokenized(params.prompt),
                negative_prompt=tokenized(params.negative_prompt),
            )
        )
        if "say" in orders:
            print(f"the worker says {orders['say']}", file=sys.stderr, flush=True)
        if "fail" in orders:
            self.say(JobFailed(job_id=job_id, title="It went wrong", remedy="Try another."))
            return
        compute(float(orders.get("busy", 0)))
        for step_index in range(count):
            if job_id in self.cancelled:
                self.say(JobCancelled(job_id=job_id, completed=step_index, count=count))
                return
            if orders.get("die") == str(step_index):
                os.kill(os.getpid(), signal.SIGKILL)
            if orders.get("die-once") == str(step_index) and is_first_time():
                os.kill(os.getpid(), signal.SIGKILL)
            if orders.get("hang-once") == str(step_index) and is_first_time():
                signal.pause()
            if orders.get("hold") == str(step_index):
                wait_to_go()
            adjusted = self.guidance.pop(job_id, guidance)
            if adjusted != guidance:
                guidance = adjusted
                self.say(
                    GuidanceAdjusted(job_id=job_id, step_index=step_index, guidance_scale=guidance)
                )
            time.sleep(float(orders.get("pause", 0)))
            # As the worker does: whoever hears of the step can only ask for a later preview.
            is_due = self.credit.is_set() or step_index == count - 1
            if is_due:
                self.credit.clear()
            self.say(
                StepCompleted(
                    job_id=job_id,
                    step_index=step_index,
                    count=count,
                    timestep=float(count - step_index),
                    sigma=1.0,
                    latents_mean=0.0,
                    latents_std=1.0,
                    guidance_scale=guidance,
                    guidance_norm=1.0,
                    seconds=0.0,
                )
            )
            if is_due:
                rgb = bytes([step_index % 256]) * int(orders.get("preview-bytes", 3 * 4))
                wanted = self.with_latents.is_set()
                self.with_latents.clear()
                self.say(
                    PreviewReady(
                        job_id=job_id,
                        step_index=step_index,
                        count=count,
                        width=2,
                        height=2,
                        rgb=rgb,
                        latents=LatentsFrame(width=1, height=1, rgb=b"x_t") if wanted else None,
                    )
                )
        size = params.width * params.height * 3
        self.say(
            ImageDecoded(
                job_id=job_id,
                width=params.width,
                height=params.height,
                rgb=os.urandom(size) if "noise" in orders else bytes([params.seed % 256]) * size,
                seconds=0.0,
            )
        )

    def run(self) -> None:
        threading.Thread(target=self.listen, daemon=True).start()
        self.say(WorkerReady(torch_version="none"))
        if "--fleeting" in sys.argv and not is_mended():
            with (Path(os.environ["SDTUI_HOME"]) / "starts").open("a") as starts:
                starts.write(f"{time.monotonic()}\n")
            sys.exit("the fake worker does not stay")
        while True:
            request = self.work.get()
            if isinstance(request, RunJob):
                self.draw(request)
            else:
                self.load(request.model, request.device, asked=True)


if __name__ == "__main__":
    if "--broken" in sys.argv and not is_mended():
        sys.exit("the fake worker does not start")
    FakeWorker().run()
