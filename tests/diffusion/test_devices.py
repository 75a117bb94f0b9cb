"""Devices by their names, and what their errors say."""

from __future__ import annotations

import pytest
import torch

from sdtui.diffusion.components import load
from sdtui.diffusion.devices import choose_device, has_failed, require_usable
from sdtui.errors import ModelError

ADVICE = "\nSearch for the error's name in the documentation."


def test_every_name_of_a_device_gives_an_equal_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)

    assert choose_device("auto") == choose_device("cuda") == choose_device("cuda:0")
    assert choose_device("cuda:1") == torch.device("cuda:1")
    assert choose_device("cpu:0") == choose_device("cpu")


@pytest.mark.parametrize(
    ("said", "helps"),
    [
        ("CUDA error: no kernel image is available for execution on the device", "build of torch"),
        ("CUDA error: CUDA-capable device(s) is/are busy or unavailable", "Close the program"),
    ],
)
def test_a_device_that_cannot_be_used_is_told_with_what_helps(
    monkeypatch: pytest.MonkeyPatch, said: str, helps: str
) -> None:
    def refuse(*_: object, **__: object) -> torch.Tensor:
        raise torch.AcceleratorError(said + ADVICE)

    monkeypatch.setattr(torch, "ones", refuse)
    with pytest.raises(ModelError) as caught:
        load("pocket", "cpu")

    assert caught.value.message == f"cpu: {said}."
    assert helps in caught.value.remedy
    assert "another device" in caught.value.remedy


def test_a_device_that_failed_is_no_fault_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> torch.Tensor:
        raise torch.AcceleratorError("CUDA error: unspecified launch failure" + ADVICE)

    monkeypatch.setattr(torch, "ones", fail)
    with pytest.raises(torch.AcceleratorError):
        require_usable(torch.device("cpu"))
    with pytest.raises(torch.AcceleratorError):
        load("pocket", "cpu")


@pytest.mark.parametrize(
    "error",
    [
        torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR"),
    ],
)
def test_a_failed_device_is_known_by_whatever_library_met_it(error: Exception) -> None:
    assert has_failed(error)


@pytest.mark.parametrize(
    "error",
    [
        torch.AcceleratorError("CUDA error: out of memory" + ADVICE),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        ValueError("CUDNN_STATUS_INTERNAL_ERROR"),
    ],
)
def test_other_errors_leave_the_device_as_it_is(error: Exception) -> None:
    assert not has_failed(error)
