"""Pictures on the disk: a PNG that says how it was made, complete or not there at all."""

from __future__ import annotations

import contextlib
import datetime
import os
import secrets
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

import msgspec
from PIL import Image, PngImagePlugin

from sdtui import paths
from sdtui.errors import SdtuiError
from sdtui.history.a1111 import parameters_text
from sdtui.history.naming import NameTemplate
from sdtui.history.picture_record import PictureRecord
from sdtui.params import GenerationParams

JSON_KEY = "sdtui"
A1111_KEY = "parameters"


def save_image(
    rgb: bytes,
    width: int,
    height: int,
    params: GenerationParams,
    *,
    version: str,
    guidance_adjustments: Sequence[tuple[int, float]] = (),
    path: Path | None = None,
) -> Path:
    """Save RGB8 pixels (row by row, `width * height * 3` bytes) as a PNG and return its path.

    The file is `path`, or gets a free name in `paths.images_dir()`, by default in the folder of the
    day, as in `0001-a-red-apple-42.png`. It appears under its name only when every byte of it is on
    the disk, and never takes the place of another. Pictures are the user's own to share: their mode
    follows the umask.

    Raises `FileExistsError` when `path` is taken, `OSError` when the disk or folder refuses.
    """
    png = encode_png(
        rgb,
        width,
        height,
        params,
        version=version,
        guidance_adjustments=guidance_adjustments,
    )
    if path is not None:
        write_new(path, png)
        return path
    names = new_paths(params)
    while True:
        path = next(names)
        with contextlib.suppress(FileExistsError):
            write_new(path, png)
            return path


def encode_png(
    rgb: bytes,
    width: int,
    height: int,
    params: GenerationParams,
    *,
    version: str,
    guidance_adjustments: Sequence[tuple[int, float]] = (),
    unet_sha256: str = "",
) -> bytes:
    """The file of a picture of RGB8 pixels, with all that is known of its making."""
    record = PictureRecord(
        version=version,
        params=params,
        guidance_adjustments=list(guidance_adjustments),
        unet_sha256=unet_sha256,
    )
    text = PngImagePlugin.PngInfo()
    text.add_text(A1111_KEY, parameters_text(record, width, height))
    text.add_text(JSON_KEY, msgspec.json.encode(record).decode())
    buffer = BytesIO()
    Image.frombytes("RGB", (width, height), rgb).save(buffer, "png", pnginfo=text)
    return buffer.getvalue()


def new_paths(params: GenerationParams) -> Iterator[Path]:
    """Free names for a new picture, in a folder that is made.

    Another process may take a name before it is used, so there is always a next one.
    """
    template = NameTemplate.configured()
    today = datetime.date.today()
    folder = paths.images_dir() / template.folder(params, today)
    folder.mkdir(parents=True, exist_ok=True)
    taken = {entry.name for entry in folder.iterdir()}
    for name in template.names(params, today, taken):
        yield folder / name


def read_record(path: Path) -> PictureRecord:
    """What a picture saved by sdtui says about itself.

    Raises `SdtuiError` when the file is no picture or says nothing that sdtui understands.
    """
    try:
        with Image.open(path) as image:
            image.load()
            text = getattr(image, "text", {}).get(JSON_KEY, "")
        return msgspec.json.decode(text.encode(), type=PictureRecord)
    except (
        OSError,
        SyntaxError,
        ValueError,
        Image.DecompressionBombError,
        msgspec.MsgspecError,
        SdtuiError,
    ) as error:
        raise SdtuiError(
            "The picture does not say how it was made",
            f"{path}: {error}",
            "Only pictures saved by sdtui, and not stripped since, carry their parameters.",
        ) from error


def read_params(path: Path) -> GenerationParams:
    """The parameters of a picture saved by sdtui; errors as for `read_record`."""
    return read_record(path).params


def write_new(path: Path, content: bytes) -> None:
    """Make the file `path`, complete or not at all; `FileExistsError` when the name is taken.

    The `OSError` of a disk without room names the folder.
    """
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _publish(temporary, path)
    except OSError as error:
        # What a descriptor refuses, as for lack of room, names no place.
        if error.filename is None:
            error.filename = os.fspath(path.parent)
        raise
    finally:
        temporary.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _publish(temporary: Path, path: Path) -> None:
    """Give a finished file its name, or raise `FileExistsError`."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:
        # No hard links here (FAT, some network mounts): take the name first, then fill it.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
        try:
            temporary.replace(path)
        except BaseException:
            path.unlink()
            raise
