"""What a run needs where nothing can be fetched: `python -m training.travel [--to FOLDER]`.

Copies what training.prepare wrote, the word vectors in a byte a number: half of their size.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import numpy as np

from training.config import DATA


def pack_data(data: Path, target: Path) -> None:
    """Write pictures, tokenizer and rounded word vectors under `target`."""
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(data / "pictures.npz", target)
    shutil.copytree(data / "tokenizer", target / "tokenizer", dirs_exist_ok=True)
    with np.load(data / "word_vectors.npz") as arrays:
        vectors = arrays["vectors"].astype(np.float32)
    # One scale for all: what reads them takes their mean off, and then only directions count.
    rounded = np.round(vectors / np.abs(vectors).max() * 127)
    np.savez(target / "word_vectors.npz", vectors=rounded.astype(np.int8))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=DATA / "travel")
    arguments = parser.parse_args()
    pack_data(DATA, arguments.to)
    size = sum(path.stat().st_size for path in arguments.to.rglob("*") if path.is_file())
    print(f"{arguments.to}: {size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
