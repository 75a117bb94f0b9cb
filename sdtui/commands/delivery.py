"""The picture at the path that the user named: whole or not at all, and never over a file."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from sdtui.errors import GenerationError, ParameterError
from sdtui.history.images import write_new
from sdtui.text import clean

_OPTION = "-o"


def checked(output: Path, *, force: bool) -> Path:
    """`output` as an absolute path, refused before anything is drawn if it cannot be written."""
    try:
        return _checked(output.expanduser().absolute(), force=force)
    except (OSError, RuntimeError) as error:
        # No permission, a name too long, or the home of a user who is not there.
        reason = error.strerror if isinstance(error, OSError) else error
        shown = clean(str(output))
        raise ParameterError(_OPTION, f"{shown}: {reason}", "Name another file.") from error


def _checked(output: Path, *, force: bool) -> Path:
    shown = clean(str(output))
    if output.is_dir():
        raise ParameterError(_OPTION, f"{shown} is a folder", "Name a file in it.")
    if output.suffix.lower() != ".png":
        raise ParameterError(_OPTION, f"{shown} is no PNG", "End the file's name in .png.")
    if not output.parent.is_dir():
        raise ParameterError(_OPTION, f"{clean(str(output.parent))} is no folder", "Make it first.")
    if not os.access(output.parent, os.W_OK | os.X_OK):
        raise ParameterError(
            _OPTION, f"{clean(str(output.parent))} cannot be written", "Name another folder."
        )
    if not force and (output.exists() or output.is_symlink()):
        raise ParameterError(_OPTION, f"{shown} exists", "Choose another name, or add --force.")
    return output


def places(output: Path | None, count: int, *, force: bool) -> list[Path | None]:
    """Where `count` pictures go: `apple.png` alone, else `apple-1.png`, `apple-2.png` …

    The numbers have as many digits as the last one, so that the names sort. Each place is
    `checked`; without an `output` there are none.
    """
    if output is None:
        return [None] * count
    if count == 1:
        return [checked(output, force=force)]
    output = checked(output, force=True)
    digits = len(str(count))
    names = [f"{output.stem}-{place:0{digits}}" for place in range(1, count + 1)]
    return [checked(output.with_stem(name), force=force) for name in names]


def deliver(picture: Path, output: Path, *, force: bool) -> None:
    """Copy the saved `picture` to `output`; only with `force` over a file that is there.

    Raises `GenerationError` when the name was taken meanwhile, or the disk or folder refuses.
    """
    try:
        write(picture.read_bytes(), output, force=force)
    except OSError as error:
        raise GenerationError(
            "The picture could not be copied to where you want it",
            f"{output}: {error.strerror}",
            f"It is kept as {picture}.",
        ) from error


def write(content: bytes, output: Path, *, force: bool) -> None:
    """Make the file `output`; only with `force` in the place of one that is there."""
    if force:
        _replace(output, content)
    else:
        write_new(output, content)


def _replace(output: Path, content: bytes) -> None:
    temporary = output.with_name(f".{secrets.token_hex(8)}.png")
    write_new(temporary, content)
    try:
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)
