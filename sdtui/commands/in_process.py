"""Pictures drawn in this process, without the engine: for scripts, containers and the curious."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import sdtui
from sdtui.commands.delivery import deliver
from sdtui.engine.cores import CoreWatch, usable_cores
from sdtui.engine.job import new_job_id
from sdtui.errors import GenerationError
from sdtui.history.images import save_image
from sdtui.history.naming import NameTemplate
from sdtui.params import GenerationParams, batch_of
from sdtui.protocol.events import Event, ImageDecoded, JobSaved, JobStarted, StepCompleted


def draw(
    params: GenerationParams,
    outputs: Sequence[Path | None],
    device: str,
    dtype: str,
    show: Callable[[Event], None],
    take: Callable[[Path], None],
    *,
    force: bool,
) -> None:
    """Load the model and draw a picture for each of `outputs`, with seeds that follow one another.

    `show` is called with every event, and `take` with the path of each picture. The pictures are
    kept in the output folder; an output gets a copy. Raises `ModelError`, `GenerationError` and,
    for a template of names that makes none, `ParameterError`.
    """
    # A template that makes no name is refused before the work, not after it.
    NameTemplate.configured()
    import torch

    from sdtui.diffusion.components import load
    from sdtui.diffusion.memory import is_out_of_memory
    from sdtui.engine.inbox import JobControl
    from sdtui.engine.narration import failure, loading_progressed, model_loaded, run_job

    torch.set_num_threads(min(torch.get_num_threads(), usable_cores()))
    cores = CoreWatch()
    components = None
    for one, output in zip(batch_of(params, len(outputs)), outputs, strict=True):
        started = time.time()
        job_id = new_job_id()
        show(JobStarted(job_id=job_id, params=one))
        image: ImageDecoded | None = None
        try:
            if components is None:
                components = load(
                    one.model,
                    device,
                    dtype,
                    lambda progress: show(loading_progressed(params.model, progress)),
                )
                show(model_loaded(components))
            cores.begin()
            for event in run_job(components, one, job_id, JobControl()):
                if isinstance(event, StepCompleted) and components.device.type == "cpu":
                    cores.look()
                if isinstance(event, ImageDecoded):
                    image = event
                show(event)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise GenerationError(*failure(error)) from error
        assert image is not None
        path = _kept(image, one, output, force=force)
        show(
            JobSaved(
                job_id=job_id,
                path=str(path),
                size=path.stat().st_size,
                seconds=time.time() - started,
            )
        )
        take(path)


def _kept(
    image: ImageDecoded, params: GenerationParams, output: Path | None, *, force: bool
) -> Path:
    """Where the picture lies, once it does."""
    try:
        path = save_image(image.rgb, image.width, image.height, params, version=sdtui.__version__)
    except OSError as error:
        raise GenerationError("The picture could not be saved", str(error)) from error
    if output is None:
        return path
    deliver(path, output, force=force)
    return output
