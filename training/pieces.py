"""Carry a folder in pieces: `python -m training.pieces FOLDER TARGET` puts one together again.

Some ways out of a machine take small files alone. The pieces are a zip archive, cut: unpacking one
writes nothing outside its folder.
"""

from __future__ import annotations

import argparse
import io
import zipfile
from pathlib import Path

PIECE = 15 * 2**20
NAME = "pieces.zip"


def cut(folder: Path, target: Path, size: int = PIECE) -> list[Path]:
    """Write all of `folder` to `target` in files of at most `size` bytes, the only pieces there."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    content = buffer.getvalue()
    count = -(-len(content) // size)
    target.mkdir(parents=True, exist_ok=True)
    for earlier in target.glob(f"{NAME}.*-of-*"):
        earlier.unlink()
    pieces = [target / f"{NAME}.{number}-of-{count}" for number in range(1, count + 1)]
    for number, piece in enumerate(pieces):
        piece.write_bytes(content[number * size : (number + 1) * size])
    return pieces


def join(folder: Path, target: Path) -> None:
    """Undo `cut`: unpack the pieces in `folder` into `target`."""
    found = list(folder.glob(f"{NAME}.*-of-*"))
    counts = {piece.name.rsplit("-", 1)[-1] for piece in found}
    if counts != {str(len(found))}:
        raise FileNotFoundError(f"{folder} holds {len(found)} pieces of {sorted(counts)}")
    names = [folder / f"{NAME}.{number}-of-{len(found)}" for number in range(1, len(found) + 1)]
    content = io.BytesIO(b"".join(name.read_bytes() for name in names))
    with zipfile.ZipFile(content) as archive:
        archive.extractall(target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("target", type=Path)
    arguments = parser.parse_args()
    join(arguments.folder, arguments.target)
    print(arguments.target)


if __name__ == "__main__":
    main()
