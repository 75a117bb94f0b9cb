"""What `sdtui doctor` looks at. Each check returns findings and raises nothing."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import sdtui
from sdtui import paths
from sdtui.commands.terminal import color_count
from sdtui.errors import SdtuiError
from sdtui.history.naming import NameTemplate

OK, WARN, BROKEN = "ok", "warn", "broken"

_GIGABYTE = 10**9
_LITTLE_MEMORY = 4 * _GIGABYTE
_TORCH_SECONDS = 120


@dataclass(frozen=True)
class Finding:
    """One line of the report. `state` is ok, warn or broken; the last one fails the check."""

    name: str
    state: str
    value: str
    remedy: str = ""


def software() -> list[Finding]:
    """Python, sdtui and the libraries that it stands on."""
    found = [
        Finding("python", OK, f"{platform.python_version()} at {sys.executable}"),
        Finding("sdtui", OK, f"{sdtui.__version__} at {Path(sdtui.__file__).parent}"),
    ]
    for library in ("diffusers", "transformers", "textual"):
        try:
            found.append(Finding(library, OK, version(library)))
        except PackageNotFoundError:
            found.append(Finding(library, BROKEN, "missing", "Install sdtui again."))
    return found


def devices() -> list[Finding]:
    """What torch offers, asked in a child process."""
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
        last_words = probe.stderr.strip().splitlines()[-1:] or [f"exit code {probe.returncode}"]
        return [Finding("torch", BROKEN, last_words[0], "Install torch again: see pytorch.org.")]
    answer = json.loads(probe.stdout.splitlines()[-1])
    build = f"with {answer['cuda']}" if answer["cuda"] else "CPU build"
    found = [Finding("torch", OK, f"{answer['version']}, {build}, {answer['threads']} threads")]
    for device in answer["devices"]:
        free, total = (device[key] / _GIGABYTE for key in ("free", "total"))
        value = f"{device['device']}: {device['name']}, {free:.1f} of {total:.1f} GB free"
        found.append(Finding("gpu", OK, value))
    if not answer["devices"]:
        remedy = "pocket draws on the CPU in seconds; Stable Diffusion 1.5 takes minutes a picture."
        if shutil.which("nvidia-smi"):
            remedy = "nvidia-smi is there: this torch does not suit its driver. See pytorch.org."
        found.append(Finding("gpu", WARN, "none that torch can use", remedy))
    return found


def memory() -> list[Finding]:
    """The machine's memory, and what of it is free."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    available = _available_memory()
    if available is None:
        return [Finding("memory", OK, f"{total / _GIGABYTE:.1f} GB")]
    value = f"{available / _GIGABYTE:.1f} of {total / _GIGABYTE:.1f} GB available"
    if available < _LITTLE_MEMORY:
        remedy = "pocket needs about 1 GB, Stable Diffusion 1.5 on the CPU about 8 GB."
        return [Finding("memory", WARN, value, remedy)]
    return [Finding("memory", OK, value)]


def _available_memory() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next(
        (int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None
    )


def terminal(environment: Mapping[str, str] = os.environ) -> list[Finding]:
    """Size, colours, multiplexer and link, from the environment."""
    term = environment.get("TERM", "")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        found = [Finding("terminal", WARN, "none", "Without one: sdtui generate.")]
    elif term in ("", "dumb", "unknown"):
        found = [Finding("terminal", WARN, f"TERM={term}", "Set TERM, or: sdtui generate.")]
    else:
        columns, lines = shutil.get_terminal_size()
        small = columns < 60 or lines < 20
        remedy = "The interface wants 80 by 24, and at least 60 by 20." if small else ""
        value = f"{term}, {columns}×{lines}"
        found = [Finding("terminal", WARN if small else OK, value, remedy)]
    return [*found, _colors(environment), *_graphics(found[0]), _link(environment)]


def _graphics(terminal: Finding) -> list[Finding]:
    """What the terminal was asked and has answered, and the renderer that comes of it."""
    from sdtui.commands.terminal_answers import PATIENCE_SECONDS, ask_terminal
    from sdtui.tui.renderers.choice import AUTO, RendererChoice, available, wanted_renderer

    try:
        wanted = wanted_renderer()
    except SdtuiError as error:
        return [Finding("renderer", WARN, *_said(error))]
    if terminal.value == "none":
        return []
    answers, seconds = ask_terminal()
    choice = RendererChoice(wanted, answers)
    name = choice.name(no_color=bool(os.environ.get("NO_COLOR")))
    by = AUTO if wanted == AUTO else "as SDTUI_RENDERER says"
    others = [other for other in available(answers) if other != name]
    renderer = Finding("renderer", OK, f"{name} ({by}); also {', '.join(others)}")
    if not answers.is_complete:
        value = f"no answer within {PATIENCE_SECONDS:.0f} s, so half blocks"
        return [Finding("graphics", WARN, value, "Name a renderer: sdtui --renderer."), renderer]
    cell = "{}×{} pixels".format(*answers.cell) if answers.cell else "unknown"
    said = (
        f"{answers.name or 'no name'}; Kitty graphics {_yes(answers.kitty)}, "
        f"Sixel {_yes(answers.sixel)}, a cell {cell}; {seconds * 1000:.0f} ms"
    )
    remedy = ""
    if os.environ.get("TMUX") and not answers.kitty:
        remedy = "tmux passes Kitty's pictures on with: set -g allow-passthrough on"
    return [Finding("graphics", OK, said, remedy), renderer]


def _yes(answer: bool) -> str:
    return "yes" if answer else "no"


def _colors(environment: Mapping[str, str]) -> Finding:
    count = color_count(environment)
    colorterm = environment.get("COLORTERM", "")
    if count == 2**24:
        return Finding("colours", OK, f"24 bits (COLORTERM={colorterm})")
    value = {256: "256", 16: "16", 2: "none"}[count] + f" (COLORTERM={colorterm or 'unset'})"
    if environment.get("NO_COLOR"):
        return Finding("colours", WARN, f"{value}, NO_COLOR is set", "Unset NO_COLOR for pictures.")
    remedy = "If the terminal has 24-bit colour: export COLORTERM=truecolor."
    if "SSH_CONNECTION" in environment:
        remedy += (
            " ssh hands it on with `SendEnv COLORTERM` at home (~/.ssh/config) and"
            " `AcceptEnv COLORTERM` here (/etc/ssh/sshd_config)."
        )
    return Finding("colours", WARN, value, remedy)


def _link(environment: Mapping[str, str]) -> Finding:
    over = [
        name
        for name, variable in (("ssh", "SSH_CONNECTION"), ("tmux", "TMUX"), ("screen", "STY"))
        if environment.get(variable)
    ]
    return Finding("link", OK, " and ".join(over) or "local")


def engine() -> list[Finding]:
    """Whether an engine runs, and where its socket and log are."""
    from sdtui.engine.client import EngineClient
    from sdtui.engine.launch import EngineNotRunningError, log_path

    async def ask() -> str:
        client = await EngineClient.connect(start=False)
        await client.close()
        status = client.status
        loaded = f", {status.model} on {status.device}" if status.model else ""
        return f"{status.state}{loaded}, {status.queued} waiting, process {status.pid}"

    try:
        socket, log = paths.socket_path(), log_path()
        try:
            state = Finding("engine", OK, asyncio.run(ask()))
        except EngineNotRunningError:
            state = Finding("engine", OK, "not running; it starts when it is needed")
    except (SdtuiError, OSError) as error:
        return [Finding("engine", BROKEN, *_said(error))]
    return [state, Finding("socket", OK, str(socket)), Finding("log", OK, str(log))]


def folders() -> list[Finding]:
    """Where pictures and models are, whether pictures can be written, and under what names."""
    images = paths.images_dir()
    # A folder that may not be looked into is taken for one that is not there.
    existing = next(folder for folder in (images, *images.parents) if os.access(folder, os.F_OK))
    if existing.is_dir() and os.access(existing, os.W_OK):
        free = shutil.disk_usage(existing).free / _GIGABYTE
        pictures = Finding("pictures", OK, f"{images}, {free:.1f} GB free")
    else:
        remedy = "Set SDTUI_HOME to a folder that you may write."
        pictures = Finding("pictures", BROKEN, f"{images} cannot be written", remedy)
    try:
        NameTemplate.configured()
        names = Finding("names", OK, paths.picture_names())
    except SdtuiError as error:
        names = Finding("names", BROKEN, *_said(error))
    return [pictures, names, Finding("models", OK, str(paths.models_dir()))]


def models() -> list[Finding]:
    """The catalogue, and which of its models are at hand."""
    from sdtui.models import catalogue

    found = []
    for entry in catalogue.entries():
        name = f"model {entry.name}"
        size = f"{entry.native_width}×{entry.native_height}"
        if catalogue.is_at_hand(entry.name):
            found.append(Finding(name, OK, f"at hand, {size}"))
        elif entry.name == catalogue.POCKET:
            found.append(Finding(name, BROKEN, "its files are missing", "Install sdtui again."))
        else:
            found.append(Finding(name, OK, f"{entry.description}; downloaded on first use"))
    return found


CHECKS: tuple[Callable[[], list[Finding]], ...] = (
    software,
    devices,
    memory,
    terminal,
    engine,
    folders,
    models,
)


def _said(error: Exception) -> tuple[str, str]:
    """What an error says as a value and a remedy."""
    if isinstance(error, SdtuiError):
        return f"{error.title}. {error.message}".strip(), error.remedy
    return str(error), ""
