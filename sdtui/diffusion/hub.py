"""Models from the Hugging Face hub: the cache first, then a download that tells its bytes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, constants, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
)
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import httpx, tqdm

from sdtui.diffusion.architecture import check_architecture
from sdtui.diffusion.layout import (
    MODEL_INDEX,
    check_components,
    check_model_index,
    choose_files,
    list_files,
)
from sdtui.diffusion.redaction import redact
from sdtui.errors import ModelError


@dataclass(frozen=True)
class DownloadProgress:
    """Bytes of the model that have arrived, over all its files; `file` is the one at hand."""

    file: str
    received: int
    total: int


log = logging.getLogger(__name__)

Report = Callable[[DownloadProgress], None]

# Xet's own threads tell of their progress, and go on where that raises: nobody could stop them.
constants.HF_HUB_DISABLE_XET = True

_UNREACHABLE = (
    OfflineModeIsEnabled,
    LocalEntryNotFoundError,
    HfHubHTTPError,
    httpx.HTTPError,
    ConnectionError,
)


def fetch(repo_id: str, *, half: bool, report: Report) -> Path:
    """The folder of a hub model, downloaded if the cache does not hold it whole.

    Only the files that are used are downloaded, model_index.json first and the weights last, so
    that a model that the small files show to be of another kind is refused before its weights are
    fetched. A model in the cache is used without
    asking the hub, but weights in half precision are taken for float32 only where the hub has no
    others or cannot be reached. What `report` raises ends the download. Raises `ModelError` when
    the hub cannot be reached or has no such model.
    """
    cached = _cached(repo_id)
    if cached is not None and (half or not cached.is_half):
        return cached.folder
    try:
        return _download(repo_id, half, report)
    except (GatedRepoError, RepositoryNotFoundError, HFValidationError) as error:
        raise ModelError(
            "The hub has no such model for you",
            f"{repo_id} does not exist at {_endpoint()}, or it asks for a licence or login.",
            "Check the name; for a gated model accept its licence on the hub and run "
            "`hf auth login`.",
        ) from error
    except RemoteEntryNotFoundError as error:
        raise ModelError(
            "Not a diffusers model",
            f"{repo_id} holds no {MODEL_INDEX}.",
            "Choose a model in diffusers layout.",
        ) from error
    except _UNREACHABLE as error:
        if cached is not None:
            log.warning("float32 from weights in half precision: %s is not reached", repo_id)
            return cached.folder
        raise _undownloaded(repo_id, error) from error
    except OSError as error:
        raise _undownloaded(repo_id, error) from error


def _undownloaded(repo_id: str, error: Exception) -> ModelError:
    reason = redact(str(error)).strip().splitlines()
    return ModelError(
        "The model could not be downloaded",
        f"{repo_id} from {_endpoint()}: {reason[0] if reason else type(error).__name__}",
        "Check the connection and the free disk space, then try again; files that have arrived "
        "whole are kept. Without a network, choose the bundled model pocket or give the folder "
        "of a model.",
    )


def _endpoint() -> str:
    """The hub's address, which may hold somebody's password."""
    return redact(constants.ENDPOINT)


@dataclass(frozen=True)
class _Snapshot:
    """A model that the hub's cache holds whole, and whether any of its weights are fp16."""

    folder: Path
    is_half: bool


def _cached(repo_id: str) -> _Snapshot | None:
    """The model as the hub's cache has it."""
    index = try_to_load_from_cache(repo_id, MODEL_INDEX)
    if not isinstance(index, str):
        return None
    folder = Path(index).parent
    try:
        variants = choose_files(list_files(folder), str(folder), half=False).variants
    except ModelError:
        return None
    return _Snapshot(folder, is_half="fp16" in variants.values())


def _download(repo_id: str, half: bool, report: Report) -> Path:
    report(DownloadProgress(MODEL_INDEX, 0, 0))
    # This question is asked once, whereas downloads are retried for half a minute.
    HfApi().model_info(repo_id)
    silent = _bar_class(MODEL_INDEX, 0, 0, lambda progress: None)
    folder = Path(hf_hub_download(repo_id, MODEL_INDEX, tqdm_class=silent)).parent
    check_model_index(folder)

    # A snapshot's folder is named after its commit: all files come from the same one.
    commit = folder.name
    sizes = {
        entry.path: entry.size
        for entry in HfApi().list_repo_tree(repo_id, recursive=True, revision=commit)
        if isinstance(entry, RepoFile)
    }
    files = choose_files(sizes, repo_id, half=half).names
    weights = [name for name in files if name.endswith(".safetensors")]
    others = [name for name in files if name not in weights]
    total = sum(sizes[name] for name in files)
    finished = 0
    for name in [*others, *weights]:
        if name == weights[0]:
            check_components(folder, others)
            check_architecture(folder)
        bar = _bar_class(name, finished, total, report)
        hf_hub_download(repo_id, name, revision=commit, tqdm_class=bar)
        finished += sizes[name]
        report(DownloadProgress(name, finished, total))
    return folder


def _bar_class(file: str, finished: int, total: int, report: Report) -> type[tqdm]:
    """A progress bar that draws nothing and reports the bytes of one file."""

    class ReportingBar(tqdm):
        def __init__(self, *args: Any, **options: Any) -> None:
            self.received = options.get("initial") or 0
            super().__init__(*args, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            self.received += int(n or 0)
            report(DownloadProgress(file, min(finished + self.received, total), total))
            return super().update(n)

    return ReportingBar
