"""The bundled model, loaded once for all tests of the core."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from sdtui.diffusion.components import LoadedComponents, load


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Networks this small gain nothing from a second thread, and lose much on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def components() -> LoadedComponents:
    return load("pocket", device="cpu", dtype="float32")
