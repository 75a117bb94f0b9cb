"""`sdtui models`: what can be loaded."""

from __future__ import annotations

from sdtui.text import clean


def models() -> None:
    """List the models that --model takes by name; it also takes a folder or a hub id."""
    from sdtui import paths
    from sdtui.commands.output import note
    from sdtui.models import catalogue

    for entry in catalogue.entries():
        size = f"{entry.native_width}×{entry.native_height}"
        print(f"{clean(entry.name)}\t{size}\t{clean(entry.title)}: {clean(entry.description)}")
    note(f"Folders in {paths.models_dir()} are listed too.")
