"""Preparing renders every style, keeps what it read, and packs small."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from training import prepare
from training.config import RECIPES
from training.pictures import load_things, pack_pictures, unpack_picture
from training.prepare import RESOLUTION, fetch_npm, prepare_pictures, svg_reader
from training.travel import pack_data
from training.word_vectors import project

TOY = RECIPES["toy"]


def collection(folder: Path, icon: dict[str, object], **others: object) -> Path:
    """An Iconify package of one icon, for the code point 1f98a."""
    content = {"icons": {"fox": icon}, "width": 32, "height": 32, **others}
    (folder / "icons.json").write_text(json.dumps(content))
    (folder / "chars.json").write_text(json.dumps({"1f98a": "reynard" if others else "fox"}))
    return folder


def test_svg_becomes_premultiplied_pixels(tmp_path: Path) -> None:
    body = '<path fill="#ff0000" fill-opacity="0.5" d="M0 0h16v32H0z"/>'
    picture = svg_reader(collection(tmp_path, {"body": body}))("1F98A")
    assert picture is not None
    assert picture.shape == (RESOLUTION, RESOLUTION, 4)
    half = RESOLUTION // 2
    assert (abs(picture[:, : half - 1].astype(int) - (128, 0, 0, 128)) <= 1).all()
    assert not picture[:, half + 1 :].any()


def test_an_alias_is_rendered_as_its_parent(tmp_path: Path) -> None:
    body = '<path fill="#00ff00" d="M0 0h32v32H0z"/>'
    folder = collection(tmp_path, {"body": body}, aliases={"reynard": {"parent": "fox"}})
    picture = svg_reader(folder)("1F98A")
    assert picture is not None
    assert (picture == [0, 255, 0, 255]).all()
    assert svg_reader(folder)("1F408") is None


def test_an_icon_that_is_not_square_keeps_its_shape(tmp_path: Path) -> None:
    body = '<path fill="#0000ff" d="M0 0h32v64H0z"/>'
    picture = svg_reader(collection(tmp_path, {"body": body, "height": 64}))("1F98A")
    assert picture is not None
    drawn = picture[..., 3].any(axis=0)
    assert drawn.sum() == RESOLUTION // 2
    assert drawn[RESOLUTION // 2]


def test_packed_pictures_come_back_exactly() -> None:
    random = np.random.default_rng(0)
    alpha = random.integers(0, 256, (3, 16, 16, 1), np.uint8)
    pictures = np.concatenate([random.integers(0, 256, (3, 16, 16, 3), np.uint8), alpha], axis=-1)
    # Premultiplied colours are never above their alpha.
    pictures = np.minimum(pictures, alpha)
    files, ends = pack_pictures(list(pictures))
    starts = [0, *ends[:-1]]
    for picture, start, end in zip(pictures, starts, ends, strict=True):
        np.testing.assert_array_equal(unpack_picture(files[start:end].tobytes()), picture)


def test_a_recipe_gets_its_things_and_styles_alone(data: Path) -> None:
    every = load_things(data / "pictures.npz", replace(TOY, everything=True))
    assert every.names == ("fox", "cat", "dog", "red apple", "flag: Chad")
    styles = [style for _, style in every.drawn]
    assert styles == ["3d"] * 5 + ["flat"] * 4 + ["cartoon"] * 4
    assert [thing for thing, _ in every.drawn] == [0, 1, 2, 3, 4, 0, 1, 2, 3, 0, 1, 2, 3]
    assert every.chosen == {0, 1, 2, 3}
    assert every.tags[0] == ("face", "sly", "reynard", "vixen")

    chosen = load_things(data / "pictures.npz", replace(RECIPES["cpu"], most=4))
    assert chosen.names == ("fox", "cat", "dog", "red apple")
    assert chosen.drawn == tuple((row, "3d") for row in range(4))
    rows = [row for row, (_, style) in enumerate(every.drawn) if style == "3d"][:4]
    assert torch.equal(chosen.pictures, every.pictures[rows])


def test_everything_has_to_be_prepared_first(data: Path, tmp_path: Path, raw: Path) -> None:
    prepare_pictures(raw, tmp_path, everything=False)
    load_things(tmp_path / "pictures.npz", TOY)
    with pytest.raises(ValueError, match="prepare --everything"):
        load_things(tmp_path / "pictures.npz", replace(TOY, everything=True))


def test_a_package_that_was_not_unpacked_to_its_end_is_unpacked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_killed = True

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        if command[0] == "tar":
            package = Path(command[-1]) / "package"
            package.mkdir()
            (package / "first").touch()
            if is_killed:
                raise KeyboardInterrupt
            (package / "second").touch()
        return subprocess.CompletedProcess(command, 0, stdout="emoji-1.0.0.tgz\n")

    monkeypatch.setattr(prepare.subprocess, "run", run)
    with pytest.raises(KeyboardInterrupt):
        fetch_npm("@some/emoji@1.0.0", tmp_path)
    is_killed = False
    unpacked = fetch_npm("@some/emoji@1.0.0", tmp_path)
    assert {path.name for path in unpacked.iterdir()} == {"first", "second"}
    assert fetch_npm("@some/emoji@1.0.1", tmp_path) != unpacked


def test_a_chosen_thing_without_its_picture_is_told(data: Path, tmp_path: Path, raw: Path) -> None:
    folder = prepare.npm_folder(prepare.PICTURES_PACKAGE, raw) / "package" / "assets"
    (folder / "1f408.webp").unlink()
    before = (data / "pictures.npz").read_bytes()
    with pytest.raises(ValueError, match="no picture of cat:"):
        prepare_pictures(raw, data, everything=True)
    assert (data / "pictures.npz").read_bytes() == before


def test_what_travels_is_enough_and_means_the_same(data: Path, tmp_path: Path) -> None:
    # All point somewhat the same way, as the sentence model's do, some along one axis most of all.
    vectors = np.load(data / "word_vectors.npz")["vectors"]
    vectors[:, 0] += 2
    vectors[::3, 1] += 8
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    np.savez(data / "word_vectors.npz", vectors=vectors)
    pack_data(data, tmp_path / "travel")
    assert load_things(tmp_path / "travel" / "pictures.npz", TOY).names[0] == "fox"
    kept, sent = (
        project(np.load(folder / "word_vectors.npz")["vectors"], 16, std=1.0)
        for folder in (data, tmp_path / "travel")
    )
    # The principal components may have other signs, and what is alike stays so.
    torch.testing.assert_close(kept[:99] @ kept[:99].T, sent[:99] @ sent[:99].T, atol=0.4, rtol=0)
