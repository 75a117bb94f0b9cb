"""Models from a hub: a stand-in on 127.0.0.1, asked through HF_ENDPOINT by a real client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import sdtui.models.catalogue as catalogue
from sdtui.diffusion.components import LoadedComponents, load
from tests.diffusion.stand_in_hub import StandInHub, serve

REPO_ID = "someone/pocket"

FETCH = """
import json, sys
from dataclasses import asdict
from sdtui.diffusion.hub import fetch
from sdtui.errors import SdtuiError

class Stopped(Exception):
    pass

def report(progress):
    reports.append(asdict(progress))
    if progress.file == sys.argv[3]:
        raise Stopped(progress.file)

reports = []
answer = {"reports": reports}
try:
    half = sys.argv[2] == "half"
    answer["folder"] = str(fetch(sys.argv[1], half=half, report=report))
except Stopped as stop:
    answer["stopped"] = str(stop)
except SdtuiError as error:
    answer["error"] = [type(error).__name__, error.title, error.message, error.remedy]
answer["torch"] = "torch" in sys.modules
print(json.dumps(answer))
"""


def fetch(
    cache: Path,
    endpoint: str,
    repo_id: str = REPO_ID,
    *,
    half: bool = False,
    offline: bool = False,
    stop_at: str = "",
) -> dict[str, Any]:
    """Run sdtui.diffusion.hub.fetch in a process of its own, whose hub is at `endpoint`.

    It is stopped at the first report of the file `stop_at`.
    """
    environment = {
        **os.environ,
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(cache),
        "HF_HUB_OFFLINE": "1" if offline else "0",
    }
    finished = subprocess.run(
        [sys.executable, "-c", FETCH, repo_id, "half" if half else "full", stop_at],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(finished.stdout)


@pytest.fixture
def repository(tmp_path: Path) -> dict[str, Path]:
    """What a model's repository holds: the model, and much that is not needed."""
    folder = catalogue.locate("pocket")
    assert isinstance(folder, Path)
    files = {
        path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()
    }
    extra = tmp_path / "extra"
    extra.write_bytes(b"x" * 1000)
    for name in (
        "README.md",
        "v1-5-pruned.ckpt",
        "unet/diffusion_pytorch_model.bin",
        "unet/diffusion_pytorch_model.non_ema.safetensors",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "safety_checker/model.safetensors",
    ):
        files[name] = extra
    return files


@pytest.fixture
def hub(repository: dict[str, Path]) -> Iterator[StandInHub]:
    with serve(REPO_ID, repository) as hub:
        yield hub


def test_a_model_is_downloaded_with_its_bytes_told_and_loads(
    hub: StandInHub, tmp_path: Path, components: LoadedComponents
) -> None:
    answer = fetch(tmp_path, hub.endpoint)

    reports = answer["reports"]
    received = [report["received"] for report in reports]
    total = sum(hub.files[name].stat().st_size for name in hub.downloaded)
    assert reports[0] == {"file": "model_index.json", "received": 0, "total": 0}
    assert received == sorted(received)
    assert (received[-1], reports[-1]["total"]) == (total, total)
    assert any(0 < report["received"] < total for report in reports)
    loaded = load(answer["folder"], device="cpu", dtype="float32")
    assert loaded.parameters == components.parameters
    assert not answer["torch"]


def test_only_the_files_that_are_used_are_downloaded(hub: StandInHub, tmp_path: Path) -> None:
    fetch(tmp_path, hub.endpoint)

    assert sorted(hub.downloaded) == [
        "model_index.json",
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "text_encoder/model.safetensors",
        "tokenizer/tokenizer.json",
        "tokenizer/tokenizer_config.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors",
    ]


def test_half_precision_takes_the_fp16_variant_where_there_is_one(
    hub: StandInHub, tmp_path: Path
) -> None:
    fetch(tmp_path, hub.endpoint, half=True)

    assert "unet/diffusion_pytorch_model.fp16.safetensors" in hub.downloaded
    assert "unet/diffusion_pytorch_model.safetensors" not in hub.downloaded
    assert "vae/diffusion_pytorch_model.safetensors" in hub.downloaded


def test_a_model_in_the_cache_needs_no_hub(repository: dict[str, Path], tmp_path: Path) -> None:
    with serve(REPO_ID, repository) as hub:
        first = fetch(tmp_path, hub.endpoint)

    second = fetch(tmp_path, hub.endpoint, offline=True)

    assert second["folder"] == first["folder"]
    assert second["reports"] == []


def test_weights_fetched_in_half_precision_do_not_serve_float32(
    repository: dict[str, Path], tmp_path: Path
) -> None:
    with serve(REPO_ID, repository) as hub:
        fetch(tmp_path, hub.endpoint, half=True)
        hub.downloaded.clear()

        fetch(tmp_path, hub.endpoint, half=False)

    assert hub.downloaded == ["unet/diffusion_pytorch_model.safetensors"]


def test_weights_of_which_there_are_no_others_are_used_without_a_network(
    repository: dict[str, Path], tmp_path: Path
) -> None:
    del repository["unet/diffusion_pytorch_model.safetensors"]
    with serve(REPO_ID, repository) as hub:
        first = fetch(tmp_path, hub.endpoint)

    second = fetch(tmp_path, hub.endpoint, offline=True)

    assert second["folder"] == first["folder"]


def test_words_that_were_added_to_an_older_tokenizer_are_fetched_with_it(
    repository: dict[str, Path], tmp_path: Path
) -> None:
    del repository["tokenizer/tokenizer.json"]
    parts = [f"tokenizer/{name}" for name in ("vocab.json", "merges.txt", "added_tokens.json")]
    for number, part in enumerate(parts):
        repository[part] = tmp_path / str(number)
        repository[part].write_text(part)
    with serve(REPO_ID, repository) as hub:
        fetch(tmp_path / "cache", hub.endpoint)

    assert set(parts) <= set(hub.downloaded)


def test_a_download_ends_when_it_is_stopped_also_where_the_hub_offers_xet(
    repository: dict[str, Path], tmp_path: Path
) -> None:
    with serve(REPO_ID, repository) as hub:
        hub.offers_xet = True
        stopped = fetch(tmp_path, hub.endpoint, stop_at="text_encoder/model.safetensors")
        whole = fetch(tmp_path, hub.endpoint)

    assert stopped["stopped"] == "text_encoder/model.safetensors"
    assert "unet/diffusion_pytorch_model.safetensors" in hub.downloaded
    assert "folder" in whole


@pytest.mark.parametrize("offline", [False, True])
def test_without_a_network_the_message_names_the_model_and_a_way_out(
    tmp_path: Path, offline: bool
) -> None:
    answer = fetch(tmp_path, "http://127.0.0.1:9", offline=offline)

    name, title, message, remedy = answer["error"]
    assert name == "ModelError"
    assert title == "The model could not be downloaded"
    assert REPO_ID in message
    assert "pocket" in remedy


def test_a_model_that_the_hub_does_not_have_is_told_so(hub: StandInHub, tmp_path: Path) -> None:
    name, title, message, _remedy = fetch(tmp_path, hub.endpoint, "someone/else")["error"]

    assert (name, title) == ("ModelError", "The hub has no such model for you")
    assert "someone/else" in message


def test_a_repository_without_model_index_is_no_model(
    repository: dict[str, Path], tmp_path: Path
) -> None:
    del repository["model_index.json"]
    with serve(REPO_ID, repository) as hub:
        _name, title, message, _remedy = fetch(tmp_path, hub.endpoint)["error"]

    assert title == "Not a diffusers model"
    assert "model_index.json" in message
    assert hub.downloaded == []


def test_a_model_of_another_kind_is_refused_before_its_weights_arrive(
    repository: dict[str, Path], tmp_path: Path
) -> None:
    index = json.loads(repository["model_index.json"].read_text())
    other = tmp_path / "model_index.json"
    other.write_text(json.dumps({**index, "vae": ["diffusers", "AutoencoderKLWan"]}))
    with serve(REPO_ID, {**repository, "model_index.json": other}) as hub:
        _name, title, message, _remedy = fetch(tmp_path / "cache", hub.endpoint)["error"]

    assert title == "Not a Stable Diffusion 1.x model"
    assert "AutoencoderKLWan" in message
    assert hub.downloaded == ["model_index.json"]


def test_a_model_that_wants_more_than_a_prompt_is_refused_before_its_weights_arrive(
    repository: dict[str, Path], tmp_path: Path
) -> None:
    config = json.loads(repository["unet/config.json"].read_text())
    other = tmp_path / "config.json"
    other.write_text(json.dumps({**config, "in_channels": 9}))
    with serve(REPO_ID, {**repository, "unet/config.json": other}) as hub:
        answer = fetch(tmp_path / "cache", hub.endpoint)

    _name, title, message, _remedy = answer["error"]
    assert title == "The model's parts do not fit text to image"
    assert "an inpainting model?" in message
    assert "unet/config.json" in hub.downloaded
    assert not [name for name in hub.downloaded if name.endswith(".safetensors")]
    assert not answer["torch"]
