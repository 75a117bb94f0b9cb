"""The composition root: no arguments start the interface, anything else is a command.

The interface's start is what a person waits for, so that path imports neither typer nor any
command.
"""

from __future__ import annotations

import gc
import io
import os
import sys
import traceback
from typing import TYPE_CHECKING

import sdtui
from sdtui.commands.output import print_error
from sdtui.errors import SdtuiError
from sdtui.launcher import launch

if TYPE_CHECKING:
    import typer

INTERRUPTED = 130
"""What a shell reports for a command that Ctrl+C ended."""

_USAGE = 2


def main(arguments: list[str] | None = None) -> int:
    """Run sdtui with `arguments` (by default the command line's) and return its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        # What a locale has no characters for is told all the same.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _run_command(arguments) if arguments else _run_interface()
        sys.stdout.flush()
        return code
    except SdtuiError as error:
        print_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has left; what is still buffered goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SdtuiError.exit_code
    except Exception as error:
        return _report_defect(error)


def _run_interface() -> int:
    from sdtui.commands.terminal import require_terminal
    from sdtui.params import wanted_dtype
    from sdtui.paths import data_dir
    from sdtui.tui.link import byte_limit
    from sdtui.tui.renderers.choice import wanted_renderer

    # What is wrong in the environment is said before the screen is taken.
    require_terminal()
    wanted_renderer()
    wanted_dtype()
    byte_limit()
    data_dir()
    code = launch()
    if code is not None:
        return code
    # What the imports and the first screen make stays, so looking for garbage in it only delays
    # the first paint. The main screen enables it again.
    gc.disable()
    from sdtui.tui.app import run

    return run()


def _run_command(arguments: list[str]) -> int:
    import typer
    from typer.main import get_command

    command = get_command(_commands())
    try:
        return command(arguments, prog_name="sdtui", standalone_mode=False) or 0
    except typer.Abort:
        return INTERRUPTED
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "sdtui"
        print_error(SdtuiError(error.format_message(), "", f"{path} --help says what it takes."))
        return _USAGE


def _commands() -> typer.Typer:
    # typer looks the types of the options up among this module's names.
    global typer
    import typer

    from sdtui.commands import doctor, engine, generate, history, models, queue
    from sdtui.params import DEVICE_VARIABLE, DTYPE_VARIABLE, checked_dtype
    from sdtui.tui.renderers.choice import AUTO, NAMES, VARIABLE, checked_renderer

    app = typer.Typer(
        help=(
            "Stable Diffusion in a terminal: watch the picture form.\n\n"
            "Without a command, sdtui starts its interface."
        ),
        epilog=(
            "Exit codes: 0 done · 1 a check failed or sdtui did · 2 bad input, or no terminal · "
            "3 the model · 4 the generation · 5 the engine · 130 interrupted."
        ),
        add_completion=False,
    )

    def print_version(wanted: bool) -> None:
        if wanted:
            print(f"sdtui {sdtui.__version__}")
            raise typer.Exit

    @app.callback(invoke_without_command=True)
    def options(
        context: typer.Context,
        renderer: str = typer.Option(
            AUTO,
            envvar=VARIABLE,
            help=f"How the interface shows pictures: {', '.join((AUTO, *NAMES))}.",
        ),
        device: str = typer.Option(
            "auto", envvar=DEVICE_VARIABLE, help=f"Where models run: {generate.DEVICE_HELP}"
        ),
        dtype: str = typer.Option(
            "auto", envvar=DTYPE_VARIABLE, help=f"In which precision: {generate.DTYPE_HELP}"
        ),
        version: bool = typer.Option(
            False, "--version", help="Print the version.", callback=print_version, is_eager=True
        ),
    ) -> int:
        # A variable is left to whoever reads it: most commands need none of them.
        if _is_given(context, "renderer"):
            os.environ[VARIABLE] = checked_renderer(renderer, "--renderer")
        if _is_given(context, "device"):
            os.environ[DEVICE_VARIABLE] = device
        if _is_given(context, "dtype"):
            os.environ[DTYPE_VARIABLE] = checked_dtype(dtype)
        return 0 if context.invoked_subcommand else _run_interface()

    app.command()(generate.generate)
    app.command()(history.history)
    app.command()(doctor.doctor)
    app.add_typer(models.app, name="models")
    app.add_typer(engine.app, name="engine")
    app.add_typer(queue.app, name="queue")
    return app


def _is_given(context: typer.Context, option: str) -> bool:
    """Whether an option stands on the command line, and is not a variable's value."""
    source = context.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"


def _report_defect(error: Exception) -> int:
    """A defect of sdtui itself: the traceback goes into a file, the file's name to the user."""
    from sdtui.diffusion.redaction import redact
    from sdtui.paths import log_dir

    try:
        log = log_dir() / "crash.log"
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Prompts and paths may stand in it, so it is the user's alone.
        log.unlink(missing_ok=True)
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(redact("".join(traceback.format_exception(error))))
        remedy = f"The engine goes on. The details are in {log}: please report them."
    except SdtuiError as refusal:
        remedy = f"Its details could not be written. {refusal}"
    except OSError as refusal:
        remedy = f"Its details could not be written to {log}: {refusal.strerror}."
    what = redact(f"{type(error).__name__}: {error}")
    print_error(SdtuiError("Something went wrong inside sdtui", what, remedy))
    return SdtuiError.exit_code
