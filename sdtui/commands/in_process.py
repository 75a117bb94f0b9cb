"""Pictures drawn in this process, without the engine: for scripts, containers and the curious."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import sdtui
from sdtui import paths
from sdtui.commands.delivery import deliver, write
from sdtui.commands.output import note, raise_last
from sdtui.engine.cores import CoreWatch, usable_cores
from sdtui.engine.job import new_job_id
from sdtui.errors import GenerationError
from sdtui.history.images import encode_png, save_image
from sdtui.history.naming import NameTemplate
from sdtui.params import GenerationParams, batch_of
from sdtui.protocol.events import (
    Event,
    ImageDecoded,
    JobFailed,
    JobSaved,
    JobStarted,
    StepCompleted,
)


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
    kept in the output folder; an output gets a copy, or the picture itself where the folder
    refuses it. A picture that fails does not keep the others from being drawn, and raises
    `GenerationError` when they are. `ModelError` says that none can be drawn, `ParameterError` that
    the template of names makes none.
    """
    # What cannot be kept is refused before the work, not after it.
    NameTemplate.configured()
    if None in outputs:
        _check_folder()
    import torch

    from sdtui.diffusion.components import LoadedComponents, load
    from sdtui.diffusion.memory import free_memory, is_out_of_memory
    from sdtui.engine.inbox import JobControl
    from sdtui.engine.narration import failure, loading_progressed, model_loaded, run_job

    torch.set_num_threads(min(torch.get_num_threads(), usable_cores()))
    cores = CoreWatch()
    components: LoadedComponents | None = None
    errors: list[GenerationError] = []
    for one, output in zip(batch_of(params, len(outputs)), outputs, strict=True):
        started = time.monotonic()
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
            assert image is not None
            path = _kept(image, one, output, force=force)
        except (GenerationError, RuntimeError, MemoryError) as error:
            if not isinstance(error, GenerationError) and not is_out_of_memory(error):
                raise
            # Said anew, as the error itself holds what the picture took.
            title, message, remedy = failure(error)
        else:
            seconds = time.monotonic() - started
            size = path.stat().st_size
            show(JobSaved(job_id=job_id, path=str(path), size=size, seconds=seconds))
            take(path)
            continue
        free_memory()
        show(JobFailed(job_id=job_id, title=title, message=message, remedy=remedy))
        errors.append(GenerationError(title, message, remedy))
    raise_last(errors, len(outputs))


def _check_folder() -> None:
    """Raise `GenerationError` where the output folder takes no pictures."""
    folder = paths.images_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise _refusal(folder, error) from error


def _kept(
    image: ImageDecoded, params: GenerationParams, output: Path | None, *, force: bool
) -> Path:
    """Where the picture lies, once it does."""
    picture = (image.rgb, image.width, image.height, params)
    try:
        path = save_image(*picture, version=sdtui.__version__)
    except OSError as error:
        if output is None:
            raise _refusal(paths.images_dir(), error) from error
        note(f"{_reason(paths.images_dir(), error)}; the picture is where -o says only")
        try:
            write(encode_png(*picture, version=sdtui.__version__), output, force=force)
        except OSError as refused:
            raise GenerationError(
                "The picture could not be saved", f"{output}: {refused.strerror}"
            ) from refused
        return output
    if output is None:
        return path
    deliver(path, output, force=force)
    return output


def _reason(folder: Path, error: OSError) -> str:
    return f"{error.filename or folder}: {error.strerror}"


def _refusal(folder: Path, error: OSError) -> GenerationError:
    return GenerationError(
        "The picture could not be saved",
        _reason(folder, error),
        "Set SDTUI_HOME to a folder that you may write, or name a file with -o.",
    )
