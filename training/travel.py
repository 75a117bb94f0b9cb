"""What a run needs where nothing can be fetched: `python -m training.travel h100 [--to FOLDER]`.

Copies what training.prepare wrote, less what the recipe would not use: the word vectors keep as
many dimensions as its text encoder has, which is a third of them.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import numpy as np

from training.config import DATA, RECIPES, Recipe
from training.word_vectors import project


def pack_data(recipe: Recipe, data: Path, target: Path) -> None:
    """Write pictures, tokenizer and narrowed word vectors under `target`."""
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(data / "pictures.npz", target)
    shutil.copytree(data / "tokenizer", target / "tokenizer", dirs_exist_ok=True)
    with np.load(data / "word_vectors.npz") as arrays:
        vectors = project(arrays["vectors"], recipe.diffusion.text_hidden_size, std=1.0)
    np.savez(target / "word_vectors.npz", vectors=vectors.numpy().astype(np.float16))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", choices=sorted(RECIPES))
    parser.add_argument("--to", type=Path, default=DATA / "travel")
    arguments = parser.parse_args()
    pack_data(RECIPES[arguments.recipe], DATA, arguments.to)
    size = sum(path.stat().st_size for path in arguments.to.rglob("*") if path.is_file())
    print(f"{arguments.to}: {size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
