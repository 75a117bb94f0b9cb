"""What `sdtui doctor` looks at. Each check returns findings.

None raises anything but the `SdtuiError` about an SDTUI_HOME that leads nowhere.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import sdtui
from sdtui import paths
from sdtui.commands.device_findings import devices
from sdtui.commands.engine_findings import engine, history
from sdtui.commands.finding import BROKEN, GIGABYTE, OK, WARN, Finding, said
from sdtui.commands.terminal import color_count, lacking_terminal
from sdtui.errors import SdtuiError
from sdtui.history.naming import NameTemplate

_LITTLE_MEMORY = 4 * GIGABYTE


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


def memory() -> list[Finding]:
    """The machine's memory, and what of it is free."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    available = _available_memory()
    if available is None:
        return [Finding("memory", OK, f"{total / GIGABYTE:.1f} GB")]
    value = f"{available / GIGABYTE:.1f} of {total / GIGABYTE:.1f} GB available"
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
        # As the interface has it: COLUMNS and LINES, where they are exported, do not follow it.
        size = os.get_terminal_size(sys.stdout.fileno())
        columns, lines = size if all(size) else shutil.get_terminal_size()
        small = columns < 60 or lines < 20
        remedy = "The interface wants 80 by 24, and at least 60 by 20." if small else ""
        value = f"{term}, {columns}×{lines}"
        found = [Finding("terminal", WARN if small else OK, value, remedy)]
    return [*found, _colors(environment), *_graphics(), _link(environment)]


def _graphics() -> list[Finding]:
    """What the terminal was asked and has answered, and the renderer that comes of it."""
    from sdtui.commands.terminal_answers import PATIENCE_SECONDS, ask_terminal
    from sdtui.tui.renderers.choice import AUTO, RendererChoice, available, wanted_renderer
    from sdtui.tui.terminal_answers import questions

    try:
        wanted = wanted_renderer()
    except SdtuiError as error:
        return [Finding("renderer", WARN, *said(error))]
    if lacking_terminal():
        return []
    answers, seconds = ask_terminal()
    choice = RendererChoice(wanted, answers)
    name = choice.name(no_color=bool(os.environ.get("NO_COLOR")))
    by = AUTO if wanted == AUTO else "as SDTUI_RENDERER says"
    others = [other for other in available(answers) if other != name]
    renderer = Finding("renderer", OK, f"{name} ({by}); also {', '.join(others)}")
    if not questions(os.environ):
        value = "not asked: this terminal prints what it does not know"
        return [Finding("graphics", OK, value), renderer]
    if not answers.is_complete:
        value = f"no answer within {PATIENCE_SECONDS:.0f} s"
        return [Finding("graphics", WARN, value, "Name a renderer: sdtui --renderer."), renderer]
    cell = "{}×{} pixels".format(*answers.cell) if answers.cell else "unknown"
    told = (
        f"{answers.name or 'no name'}; Kitty graphics {_yes(answers.kitty)}, "
        f"Sixel {_yes(answers.sixel)}, a cell {cell}; {seconds * 1000:.0f} ms"
    )
    remedy = ""
    if os.environ.get("TMUX") and not answers.kitty:
        remedy = "tmux passes Kitty's pictures on with: set -g allow-passthrough on"
    return [Finding("graphics", OK, told, remedy), renderer]


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


def folders() -> list[Finding]:
    """Where pictures and models are, whether pictures can be written, and under what names."""
    images = paths.images_dir()
    # A folder that may not be looked into is taken for one that is not there.
    existing = next(folder for folder in (images, *images.parents) if os.access(folder, os.F_OK))
    if existing.is_dir() and os.access(existing, os.W_OK):
        free = shutil.disk_usage(existing).free / GIGABYTE
        pictures = Finding("pictures", OK, f"{images}, {free:.1f} GB free")
    else:
        remedy = "Set SDTUI_HOME to a folder that you may write."
        pictures = Finding("pictures", BROKEN, f"{images} cannot be written", remedy)
    try:
        NameTemplate.configured()
        names = Finding("names", OK, paths.picture_names())
    except SdtuiError as error:
        names = Finding("names", BROKEN, *said(error))
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
    history,
    folders,
    models,
)
