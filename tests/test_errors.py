"""Errors say what happened, where, and what to do."""

from __future__ import annotations

import pickle

import pytest

from sdtui import errors
from sdtui.errors import ParameterError, SdtuiError


def test_the_text_of_an_error_is_its_parts_line_by_line() -> None:
    assert str(SdtuiError("It broke", "in the kitchen", "Sweep.")) == (
        "It broke\nin the kitchen\nSweep."
    )
    assert str(SdtuiError("It broke", remedy="Sweep.")) == "It broke\nSweep."


def test_a_parameters_error_names_its_field() -> None:
    error = ParameterError("height", "must be a multiple of 8", "Try 96.")
    assert (error.field, error.reason) == ("height", "must be a multiple of 8")
    assert error.title == "height: must be a multiple of 8"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.SdtuiError, 1),
        (errors.ParameterError, 2),
        (errors.TerminalError, 2),
        (errors.ModelError, 3),
        (errors.GenerationError, 4),
        (errors.EngineError, 5),
    ],
)
def test_every_kind_of_error_has_its_exit_code(kind: type[SdtuiError], code: int) -> None:
    assert kind.exit_code == code
    assert issubclass(kind, SdtuiError)


def test_an_error_survives_a_process_boundary() -> None:
    error = pickle.loads(pickle.dumps(SdtuiError("title", "message", "remedy")))
    assert (error.title, error.message, error.remedy) == ("title", "message", "remedy")
