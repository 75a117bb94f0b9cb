"""Two processes on one run, as torchrun starts them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
import torch

from training.config import RECIPES
from training.parallel import join

WORKER = """
import torch
from torch import nn
from training.config import TOY
from training.parallel import GradientAverage, join, rank

join(TOY)
convolution = nn.Conv2d(2, 3, 2).to(memory_format=torch.channels_last)
unused = nn.Parameter(torch.zeros(2))
average = GradientAverage([*convolution.parameters(), unused])
layouts = (torch.channels_last, torch.contiguous_format)
for step in range(2):
    numbers = torch.arange(24.0).view(3, 2, 2, 2) * (1 + rank()) + step
    convolution.weight.grad = numbers.contiguous(memory_format=layouts[rank()])
    convolution.bias.grad = torch.full((3,), float(rank()))
    assert average(0.25 + 0.5 * rank()) == 0.5
    assert torch.equal(convolution.weight.grad, torch.arange(24.0).view(3, 2, 2, 2) * 1.5 + step)
    assert torch.equal(convolution.bias.grad, torch.full((3,), 0.5))
    assert unused.grad is None
"""


def test_every_process_gets_the_mean_gradient_and_the_mean_fraction() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    meeting = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER],
            env=os.environ | meeting | {"RANK": str(number)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    for worker in workers:
        _, errors = worker.communicate(timeout=120)
        assert worker.returncode == 0, errors


def test_every_process_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[object] = []
    monkeypatch.setattr(torch.cuda, "set_device", done.append)
    monkeypatch.setattr(torch.distributed, "init_process_group", done.append)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    join(RECIPES["h100"])
    assert done == [1, "nccl"]
