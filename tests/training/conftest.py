"""Small packages in the shape of the public ones, and what training.prepare makes of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from training import prepare
from training.export import POCKET

SIZE = 64
#: hexcode, label, group, tags: the last has no chosen group, and no picture but a 3D one.
EMOJI = (
    ("1F98A", "fox", 3, ["face", "sly", "reynard", "vixen"]),
    ("1F408", "cat", 3, ["face", "mouser", "whiskered"]),
    ("1F415", "dog", 3, ["face", "hound", "flat"]),
    ("1F34E", "red apple", 4, ["fruit"]),
    ("1F1E8", "flag: Chad", 9, ["chad", "TD"]),
)


@pytest.fixture(autouse=True)
def settings_of_torch() -> Iterator[None]:
    """What a whole run sets for its process counts for no other test."""
    precision, threads = torch.get_float32_matmul_precision(), torch.get_num_threads()
    is_fused = torch.backends.cuda.flash_sdp_enabled()
    yield
    torch.set_float32_matmul_precision(precision)
    torch.set_num_threads(threads)
    torch.backends.cuda.enable_flash_sdp(is_fused)


def svg_body(radius: int, colour: str) -> str:
    """A disc in a box of 32 units."""
    return f'<circle cx="16" cy="16" r="{radius}" fill="{colour}"/>'


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """What prepare would have fetched."""
    raw = tmp_path / "raw"
    assets = prepare.npm_folder(prepare.PICTURES_PACKAGE, raw) / "package" / "assets"
    names = prepare.npm_folder(prepare.NAMES_PACKAGE, raw) / "package" / "en"
    assets.mkdir(parents=True)
    names.mkdir(parents=True)
    for row, (code, *_) in enumerate(EMOJI):
        image = Image.new("RGBA", (2 * SIZE, 2 * SIZE))
        box = (10 * row, 10 * row, 2 * SIZE - 10 * row, 2 * SIZE - 10 * row)
        ImageDraw.Draw(image).ellipse(box, fill=(200, 40 * row, 90, 255))
        # One file carries the variation selector that the names do without.
        stem = f"{code.lower()}-fe0f" if row == 0 else code.lower()
        image.save(assets / f"{stem}.webp", lossless=True)
    entries = [
        {"hexcode": code, "label": label, "group": group, "tags": tags}
        for code, label, group, tags in EMOJI
    ]
    (names / "data.json").write_text(json.dumps(entries))
    for style, colour in (("flat", "red"), ("cartoon", "blue")):
        package = prepare.npm_folder(prepare.SVG_PACKAGES[style], raw) / "package"
        package.mkdir(parents=True)
        icons = {
            label: {"body": svg_body(4 + 3 * row, colour)}
            for row, (_, label, group, _) in enumerate(EMOJI)
            if group != 9
        }
        characters = {code.lower(): label for code, label, *_ in EMOJI if label in icons}
        collection = {"icons": icons, "width": 32, "height": 32}
        (package / "icons.json").write_text(json.dumps(collection))
        (package / "chars.json").write_text(json.dumps(characters))
    return raw


@pytest.fixture
def data(tmp_path: Path, raw: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What prepare leaves of these packages, at 64×64 pixels and with random word vectors."""
    monkeypatch.setattr(prepare, "RESOLUTION", SIZE)
    data = tmp_path / "data"
    data.mkdir()
    prepare.prepare_pictures(raw, data, everything=True)
    shutil.copytree(POCKET / "tokenizer", data / "tokenizer")
    vectors = np.random.default_rng(0).standard_normal((49_408, 16), np.float32)
    np.savez(data / "word_vectors.npz", vectors=vectors)
    return data
