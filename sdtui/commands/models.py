"""`sdtui models`: what can be loaded."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size

from sdtui.text import clean


def models() -> None:
    """List the models that --model takes by name; it also takes a folder or a hub id."""
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
