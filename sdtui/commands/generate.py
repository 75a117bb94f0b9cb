"""`sdtui generate`: pictures without the interface, for scripts and for hands."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from sdtui.commands import delivery
from sdtui.commands.output import EventLines, Reporter, note, print_path
from sdtui.errors import ParameterError
from sdtui.models import catalogue
from sdtui.params import (
    DEVICE_VARIABLE,
    DTYPE_VARIABLE,
    DTYPES,
    MAX_BATCH,
    MAX_GUIDANCE,
    MAX_SIZE,
    MAX_STEPS,
    MIN_SIZE,
    MIN_STEPS,
    SCHEDULERS,
    SIZE_MULTIPLE,
    GenerationParams,
    checked_dtype,
    random_seed,
    scheduler_name,
    validate,
)

DEVICE_HELP = "auto, cpu, cuda, cuda:1, mps."
DTYPE_HELP = f"{', '.join(DTYPES)}."
_DEFAULTS = GenerationParams(prompt="defaults")
_SIZE_HELP = f"In pixels, {MIN_SIZE} to {MAX_SIZE}, by {SIZE_MULTIPLE}."
_OPTIONS = {"num_inference_steps": "steps"}
"""The fields whose option has another name."""


def generate(
    prompt: Annotated[
        list[str],
        typer.Argument(
            help="What to draw, with quotes or without; - reads it from the input.",
            show_default=False,
        ),
    ],
    negative_prompt: Annotated[
        str, typer.Option(help="What to keep out of the picture.")
    ] = _DEFAULTS.negative_prompt,
    model: Annotated[
        str, typer.Option(help="A name from `sdtui models`, a folder, or a hub id.")
    ] = _DEFAULTS.model,
    scheduler: Annotated[
        str, typer.Option(help=f"One of {', '.join(SCHEDULERS)}; in any case.")
    ] = _DEFAULTS.scheduler,
    steps: Annotated[
        int, typer.Option(help=f"Steps of denoising, {MIN_STEPS} to {MAX_STEPS}.")
    ] = _DEFAULTS.num_inference_steps,
    guidance_scale: Annotated[
        float | None,
        typer.Option(
            help=f"How much further than by itself the prompt pulls, to {MAX_GUIDANCE:g}; at 1 and "
            "less it has no guidance, and the negative prompt no effect.",
            show_default="what suits the model",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="The same seed draws the same picture.", show_default="random"),
    ] = None,
    width: Annotated[
        int | None, typer.Option(help=_SIZE_HELP, show_default="the model's own")
    ] = None,
    height: Annotated[
        int | None, typer.Option(help=_SIZE_HELP, show_default="the model's own")
    ] = None,
    batch: Annotated[
        int,
        typer.Option(
            "--batch", "-n", help=f"How many pictures, to {MAX_BATCH}; each has the next seed."
        ),
    ] = 1,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The PNG to write; the pictures of a batch get numbers behind its name.",
            show_default="a dated folder; `sdtui doctor` says where",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Let -o replace a file.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Print the picture in half blocks.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print every event as a line of JSON.")
    ] = False,
    device: Annotated[str, typer.Option(envvar=DEVICE_VARIABLE, help=DEVICE_HELP)] = "auto",
    dtype: Annotated[str, typer.Option(envvar=DTYPE_VARIABLE, help=DTYPE_HELP)] = "auto",
    in_process: Annotated[
        bool,
        typer.Option("--in-process", help="Draw in this process, without the engine."),
    ] = False,
) -> int:
    """Draw a picture, or a batch of them, and print where each is saved."""
    if show and json:
        raise ParameterError(
            "--show", "does not go with --json", "Both write to the output: choose one."
        )
    try:
        validate("batch", batch)
        # An empty path would be the current folder.
        validate("model", model)
    except ParameterError as error:
        raise _as_option(error) from error
    checked_dtype(dtype)
    outputs = delivery.places(output, batch, force=force)
    catalogue.locate(model)
    if moved := catalogue.moved_note(model):
        note(moved)
    # The engine does not share this process's working directory.
    model = catalogue.from_anywhere(model)
    native_width, native_height = catalogue.native_size(model)
    try:
        params = GenerationParams(
            prompt=_prompt(" ".join(prompt)),
            negative_prompt=negative_prompt,
            model=model,
            scheduler=scheduler_name(scheduler),
            num_inference_steps=steps,
            guidance_scale=(
                catalogue.native_guidance(model) if guidance_scale is None else guidance_scale
            ),
            seed=random_seed() if seed is None else seed,
            width=native_width if width is None else width,
            height=native_height if height is None else height,
            preview_every=0,
        )
    except ParameterError as error:
        raise _as_option(error) from error
    if seed is None:
        note(f"seed {params.seed}" if batch == 1 else f"seeds from {params.seed} on")

    if params.negative_prompt and params.guidance_scale <= 1:
        note("the negative prompt has no effect with a guidance scale of 1 or less")

    if in_process:
        from sdtui.commands.in_process import draw
    else:
        from sdtui.commands.through_engine import draw
    pictures: list[Path] = []
    try:
        with _reporter(json, batch) as reporter:
            draw(params, outputs, device, dtype, reporter.show, pictures.append, force=force)
    finally:
        # Some may be there when others failed, and nothing can be printed beside the progress.
        if not json:
            _print(pictures, show=show, with_seeds=batch > 1)
    return 0


def _print(pictures: list[Path], *, show: bool, with_seeds: bool) -> None:
    for picture in pictures:
        if with_seeds:
            from sdtui.history.images import read_params

            note(f"seed {read_params(picture).seed}")
        if show:
            from sdtui.commands.picture import print_picture

            print_picture(picture)
        print_path(picture)


def _reporter(json: bool, count: int) -> Reporter:
    if json:
        return EventLines()
    from sdtui.commands.progress_line import ProgressLine

    return ProgressLine(count)


def _prompt(argument: str) -> str:
    if argument != "-":
        return argument
    if sys.stdin.isatty():
        note("Reading the prompt from the terminal; Ctrl+D ends it.")
    return sys.stdin.buffer.read().decode("utf-8", "surrogateescape").strip()


def _as_option(error: ParameterError) -> ParameterError:
    """The error under the name by which the user gave the value."""
    if error.field == "prompt":
        return error
    option = "--" + _OPTIONS.get(error.field, error.field).replace("_", "-")
    return ParameterError(option, error.reason, error.remedy)
