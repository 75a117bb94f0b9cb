"""`sdtui models`: what can be loaded, and what one of them knows."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.cells import cell_len, set_cell_size

from sdtui.text import clean

app = typer.Typer(
    help=(
        "List the models that --model takes by name, or show what one knows.\n\n"
        "--model takes a folder or a hub id as well."
    )
)

_LONGEST_LINE = 100
_NO_BREAK = "\u00a0"
"""Between the words of one thing's name."""


@app.callback(invoke_without_command=True)
def models(context: typer.Context) -> None:
    """List the models that --model takes by name."""
    if context.invoked_subcommand is not None:
        return
    from sdtui import paths
    from sdtui.commands.output import note
    from sdtui.models import catalogue

    entries = catalogue.entries()
    names = [clean(entry.name) for entry in entries]
    width = max(map(cell_len, names))
    for name, entry in zip(names, entries, strict=True):
        print(f"{set_cell_size(name, width)}  {entry.native_width}×{entry.native_height}")
        print(f"  {clean(entry.description)}")
    note(f"Folders in {paths.models_dir()} are listed too.")


@app.command()
def show(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A name of the list, a folder, or a hub id.")
    ],
) -> None:
    """Show where a model is, what it is made of, and what it can draw as far as it says."""
    for line in _about(model):
        print(line)


def _about(model: str) -> Iterator[str]:
    from sdtui.models import catalogue
    from sdtui.models.description import describe
    from sdtui.tui.figures import byte_size, count

    # Whatever is no model is refused here, with what there is.
    catalogue.locate(model)
    width, height = catalogue.native_size(model)
    yield f"{clean(model)}  {width}×{height}, guidance {catalogue.native_guidance(model):g}"
    if moved := catalogue.moved_note(model):
        yield f"  {clean(moved)}"
    folder = catalogue.folder_at_hand(model)
    if folder is None:
        yield "  on the Hugging Face hub; downloaded when it is first loaded"
        return
    about = describe(folder)
    yield f"  {clean(str(about.folder))}"
    names = [clean(component.name) for component in about.components]
    name_width = max(map(cell_len, names), default=0)
    for name, component in zip(names, about.components, strict=True):
        line = f"  {set_cell_size(name, name_width)}  {clean(component.class_name)}"
        if component.parameters:
            line += f", {count(component.parameters)} parameters, {byte_size(component.size)}"
        yield line
    for title, words in about.knows.items():
        yield ""
        yield f"{title} ({len(words)})"
        if title == "examples":
            yield from (f"  {clean(prompt)}" for prompt in words)
        else:
            yield from _wrapped(", ".join(clean(word).replace(" ", _NO_BREAK) for word in words))
    if about.limits:
        yield ""
        yield "limits"
        for limit in about.limits:
            yield from _wrapped(f"- {clean(limit)}", hanging=2)
    if about.card is not None:
        yield ""
        yield f"card: {clean(str(about.card))}"


def _wrapped(text: str, hanging: int = 0) -> list[str]:
    width = min(shutil.get_terminal_size().columns, _LONGEST_LINE)
    indent = " " * (2 + hanging)
    lines = textwrap.wrap(text, width, initial_indent="  ", subsequent_indent=indent)
    return [line.replace(_NO_BREAK, " ") for line in lines]
