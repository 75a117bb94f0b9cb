"""One job in this process, without the engine: for scripts, containers and the curious."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import sdtui
from sdtui.commands.delivery import deliver
from sdtui.engine.job import new_job_id
from sdtui.errors import GenerationError
from sdtui.history.images import save_image
from sdtui.history.naming import NameTemplate
from sdtui.params import GenerationParams
from sdtui.protocol.events import Event, ImageDecoded, JobSaved, JobStarted


def draw(
    params: GenerationParams,
    device: str,
    dtype: str,
    show: Callable[[Event], None],
    output: Path | None,
    *,
    force: bool,
) -> Path:
    """Load the model, draw, `show` every event, and return the picture's path.

    The picture is kept in the output folder; `output` gets a copy. Raises `ModelError`,
    `GenerationError` and, for a template of names that makes none, `ParameterError`.
    """
    # A template that makes no name is refused before the work, not after it.
    NameTemplate.configured()
    import torch

    from sdtui.diffusion.components import load
    from sdtui.engine.inbox import JobControl
    from sdtui.engine.narration import failure, loading_progressed, model_loaded, run_job
    from sdtui.engine.worker import usable_cores

    torch.set_num_threads(min(torch.get_num_threads(), usable_cores()))
    started = time.time()
    job_id = new_job_id()
    show(JobStarted(job_id=job_id, params=params))
    image: ImageDecoded | None = None
    try:
        components = load(
            params.model,
            device,
            dtype,
            lambda progress: show(loading_progressed(params.model, progress)),
        )
        show(model_loaded(components))
        for event in run_job(components, params, job_id, JobControl()):
            if isinstance(event, ImageDecoded):
                image = event
            show(event)
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise GenerationError(*failure(error)) from error
    assert image is not None
    try:
        path = save_image(image.rgb, image.width, image.height, params, version=sdtui.__version__)
    except OSError as error:
        raise GenerationError("The picture could not be saved", str(error)) from error
    if output:
        deliver(path, output, force=force)
        path = output
    show(
        JobSaved(
            job_id=job_id,
            path=str(path),
            size=path.stat().st_size,
            seconds=time.time() - started,
        )
    )
    return path
