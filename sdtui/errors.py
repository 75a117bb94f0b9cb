"""The errors that sdtui shows: what happened, where, and what to do about it."""

from __future__ import annotations


class SdtuiError(Exception):
    """An error with three parts that every surface shows in the same way.

    `title` names what happened in a few words, `message` says where and how, `remedy` what the
    user can do. `exit_code` is what a command ends with when this error stops it.
    """

    exit_code = 1

    def __init__(self, title: str, message: str = "", remedy: str = "") -> None:
        super().__init__(title, message, remedy)
        self.title = title
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return "\n".join(part for part in (self.title, self.message, self.remedy) if part)


class ParameterError(SdtuiError):
    """A generation parameter is outside its bounds. `field` is the parameter's name."""

    exit_code = 2

    def __init__(self, field: str, message: str, remedy: str = "") -> None:
        super().__init__(f"{field}: {message}", "", remedy)
        self.field = field
        self.reason = message


class ModelError(SdtuiError):
    """A model cannot be found, read or used."""

    exit_code = 3


class GenerationError(SdtuiError):
    """A job started and could not be finished."""

    exit_code = 4


class EngineError(SdtuiError):
    """The engine cannot be started, reached or understood."""

    exit_code = 5


class TerminalError(SdtuiError):
    """The terminal cannot carry what was asked of it."""

    exit_code = 2
