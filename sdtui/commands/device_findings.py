"""What torch offers, asked in a child process: a torch that is broken or hangs is a finding."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import Any

from sdtui.commands.finding import BROKEN, GIGABYTE, OK, WARN, Finding
from sdtui.engine.visible_devices import visible_devices

_TORCH_SECONDS = 120


def devices() -> list[Finding]:
    """Torch and the GPUs that it finds."""
    command = [sys.executable, "-P", "-m", "sdtui.commands.torch_probe"]
    try:
        probe = subprocess.run(
            command, capture_output=True, text=True, timeout=_TORCH_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return [
            Finding("torch", BROKEN, f"no answer within {_TORCH_SECONDS} s", "Look at its GPU.")
        ]
    if probe.returncode:
        return [_failed(_reason(probe.stderr) or f"exit code {probe.returncode}")]
    answer = json.loads(probe.stdout.splitlines()[-1])
    build = f"with {answer['build']}" if answer["build"] else "CPU build"
    found = [Finding("torch", OK, f"{answer['version']}, {build}, {answer['threads']} threads")]
    found += map(_gpu, answer["devices"])
    if not answer["devices"]:
        found.append(_no_gpu(answer["build"]))
    return found


def _no_gpu(build: str) -> Finding:
    value = "none that torch can use"
    remedy = "pocket draws on the CPU in seconds; Stable Diffusion 1.5 takes minutes a picture."
    hiding = [
        f"{name}={shown}"
        for name, shown in visible_devices().items()
        if name.endswith("_VISIBLE_DEVICES")
    ]
    if build and hiding:
        value += f", under {' and '.join(hiding)}"
        remedy = "That may hide what is there: unset it, and look again."
    elif shutil.which("nvidia-smi"):
        why = "does not suit its driver" if build else "is a CPU build"
        remedy = f"nvidia-smi is there, and this torch {why}: install the one for CUDA."
        remedy += " See pytorch.org."
    return Finding("gpu", WARN, value, remedy)


def _failed(reason: str) -> Finding:
    if "No module named 'sdtui" in reason:
        remedy = "Install sdtui again (in a checkout: make clean install)."
        return Finding("sdtui", BROKEN, reason, remedy)
    return Finding("torch", BROKEN, reason, "Install torch again: see pytorch.org.")


def _reason(stderr: str) -> str:
    """The line that names the exception, which may have more lines; else the last one."""
    _, traceback, told = stderr.rpartition("Traceback (most recent call last):\n")
    lines = [line for line in told.splitlines() if line.strip() and not line.startswith(" ")]
    if not lines:
        return ""
    return lines[0] if traceback else lines[-1]


def _gpu(device: dict[str, Any]) -> Finding:
    value = f"{device['device']}: {device['name']}"
    if device["trouble"]:
        remedy = "Close what else uses it, or choose another device, as --device cpu."
        return Finding("gpu", WARN, f"{value}, {device['trouble']}", remedy)
    total = f"{device['total'] / GIGABYTE:.1f} GB"
    if device["free"] is not None:
        total = f"{device['free'] / GIGABYTE:.1f} of {total} free"
    if device["lacks"]:
        remedy = "Install a torch that is made for it: see pytorch.org. Until then: --device cpu."
        return Finding("gpu", WARN, f"{value}, {total}; torch {device['lacks']}", remedy)
    return Finding("gpu", OK, f"{value}, {total}")
