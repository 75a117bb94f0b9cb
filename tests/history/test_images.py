"""Saved pictures carry their parameters, and are complete or not there at all."""

from __future__ import annotations

import datetime
import errno
import os
import random
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from sdtui import paths
from sdtui.errors import SdtuiError
from sdtui.history.images import read_params, read_record, save_image
from sdtui.params import GenerationParams

PARAMS = GenerationParams(prompt="a red apple", seed=42)
RGB = bytes(range(192)) * 64  # 64 by 64 pixels

HOSTILE_PROMPTS = [
    "[/red] [b]bold[/b] :smile: {braces}",
    "\x1b[31mred\x1b[0m \x1b]52;c;aGk=\x07 \x9b1m",
    "first line\nNegative prompt: not one\nSteps: 3, Sampler: fake, Seed: 1",
    "quotes \" ' \\ and, commas: colons",
    "../../../../etc/passwd",
    "nul \0 inside",
    "りんご 🍎 яблоко ‮reversed",
    "x" * 20_000,
    "- .hidden",
]


def save(params: GenerationParams = PARAMS, path: Path | None = None) -> Path:
    return save_image(RGB, 64, 64, params, version="0.1.0", path=path)


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of all pictures, which are named without folders of their own."""
    monkeypatch.setenv("SDTUI_PICTURE_NAMES", "{number}-{prompt}-{seed}")
    folder = paths.images_dir()
    folder.mkdir(parents=True)
    return folder


def test_a_picture_goes_to_a_folder_of_the_day_with_a_number_its_prompt_and_its_seed() -> None:
    path = save()
    today = datetime.date.today().isoformat()
    assert path == paths.images_dir() / today / "0001-a-red-apple-42.png"
    assert save().name == "0002-a-red-apple-42.png"


def test_pixels_and_parameters_come_back() -> None:
    params = GenerationParams(
        prompt="a red apple",
        negative_prompt="blue",
        scheduler="DPM++ 2M Karras",
        num_inference_steps=12,
        guidance_scale=3.25,
        seed=2**63 - 1,
        width=64,
        height=64,
    )
    path = save_image(RGB, 64, 64, params, version="0.1.0", guidance_adjustments=[(2, 1.5)])
    assert read_params(path) == params
    assert read_record(path).guidance_adjustments == [(2, 1.5)]
    with Image.open(path) as picture:
        assert (picture.mode, picture.size, picture.tobytes()) == ("RGB", (64, 64), RGB)
        assert picture.text["parameters"].startswith("a red apple\nNegative prompt: blue\n")


@pytest.mark.parametrize("prompt", HOSTILE_PROMPTS)
def test_any_prompt_comes_back_and_stays_in_its_folder(prompt: str, folder: Path) -> None:
    params = GenerationParams(prompt=prompt, negative_prompt=prompt)
    path = save(params)
    assert read_params(path) == params
    assert path.parent == folder
    assert path.name.isascii()
    assert len(path.name) < 100
    with Image.open(path) as picture:
        assert picture.text["parameters"].startswith(prompt.replace("\0", "␀"))


def test_a_chosen_path_is_used_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "apple.png"
    assert save(path=path) == path
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        save(GenerationParams(prompt="a pear"), path=path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_chosen_path_may_be_a_link_that_leads_nowhere_and_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "apple.png"
    path.symlink_to(tmp_path / "elsewhere.png")
    with pytest.raises(FileExistsError):
        save(path=path)
    assert not (tmp_path / "elsewhere.png").exists()


def test_numbers_go_on_after_the_highest(folder: Path) -> None:
    (folder / "0041-something-else-1.png").touch()
    (folder / "notes.txt").touch()
    assert save().name == "0042-a-red-apple-42.png"
    (folder / "10000-x-1.png").touch()
    assert save().name == "10001-a-red-apple-42.png"


def test_pictures_saved_at_once_all_get_names_of_their_own(folder: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        saved = list(pool.map(lambda _: save(), range(24)))
    assert len(set(saved)) == 24
    assert sorted(folder.iterdir()) == sorted(saved)


def test_a_disk_without_hard_links_is_served_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    path = save(path=tmp_path / "apple.png")
    assert read_params(path) == PARAMS
    with pytest.raises(FileExistsError):
        save(path=path)
    assert list(tmp_path.iterdir()) == [path]


def test_where_links_are_unknown_a_name_that_cannot_be_filled_is_given_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="No space left"):
        save(path=tmp_path / "apple.png")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_room_is_named_by_its_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="No space left") as refused:
        save()
    assert str(folder) in str(refused.value)
    assert list(folder.iterdir()) == []


def test_a_pictures_mode_follows_the_umask() -> None:
    former = os.umask(0o027)
    try:
        path = save()
    finally:
        os.umask(former)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_picture_without_parameters_says_so(tmp_path: Path) -> None:
    bare = tmp_path / "bare.png"
    Image.new("RGB", (8, 8)).save(bare)
    torn = tmp_path / "torn.png"
    torn.write_bytes(save().read_bytes()[:400])
    for path in (bare, torn, tmp_path / "missing.png", Path(__file__)):
        with pytest.raises(SdtuiError) as caught:
            read_params(path)
        assert str(path) in caught.value.message


ENDLESS_SAVING = """
import errno
import os
from sdtui.history.images import save_image
from sdtui.params import GenerationParams
rgb = os.urandom(256 * 256 * 3)
print("ready", flush=True)
while True:
    save_image(rgb, 256, 256, GenerationParams(prompt="x"), version="0")
"""


def test_killing_the_process_that_saves_leaves_whole_pictures_only(folder: Path) -> None:
    for _ in range(6):
        child = subprocess.Popen([sys.executable, "-c", ENDLESS_SAVING], stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(0.05 + random.random() * 0.1)
        child.kill()
        child.communicate()
    pictures = list(folder.glob("*.png"))
    assert pictures
    for path in pictures:
        assert read_params(path).prompt == "x"


def test_a_picture_too_large_to_open_is_a_clear_error(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "large.png"
    Image.new("L", (100, 100)).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(SdtuiError, match=r"large\.png"):
        read_record(path)
