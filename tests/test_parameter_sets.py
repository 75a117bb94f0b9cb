"""Any set of parameters is taken exactly as it was asked for, or refused with a typed error.

`SDTUI_PARAMETER_SETS` is how many sets each way in is asked; `make soak` asks 10,000.
"""

from __future__ import annotations

import io
import math
import os
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from sdtui.cli import main
from sdtui.commands import through_engine
from sdtui.errors import EngineError, ParameterError
from sdtui.history.images import encode_png, read_record, write_new
from sdtui.params import MAX_SEED, SCHEDULERS, GenerationParams, scheduler_name
from sdtui.protocol.codec import Decoder, encode
from sdtui.protocol.requests import ClientRequest, Submit
from sdtui.tui.settings import Settings
from tests.terminal_text.corpus import HOSTILE

SETS = int(os.environ.get("SDTUI_PARAMETER_SETS", "200"))
many = settings(
    max_examples=SETS,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

prompts = st.one_of(
    st.text(),
    st.sampled_from(HOSTILE),
    st.sampled_from(["", " \n", "a red apple", "very " * 2_000, "x" * 20_001, "\ud800"]),
)
whole = st.one_of(
    st.integers(min_value=-3, max_value=210),
    st.integers(min_value=7, max_value=260).map(lambda eighth: eighth * 8),
    st.integers(),
    st.sampled_from([0, -3, 100, MAX_SEED, MAX_SEED + 1, 2**70]),
)
guidance = st.one_of(st.floats(min_value=-1, max_value=51), st.floats(), st.integers(0, 50))
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "prompt": prompts,
    "negative_prompt": prompts,
    "model": st.one_of(st.sampled_from(["pocket", "", "a/b", ".", "~nobody"]), prompts),
    "scheduler": st.sampled_from([*SCHEDULERS, "unipc", "dpm++ 2m  karras", "[/]", ""]),
    "num_inference_steps": whole,
    "guidance_scale": guidance,
    "seed": whole,
    "width": whole,
    "height": whole,
    "preview_every": whole,
}
GOOD: dict[str, Any] = {
    "prompt": "a red apple",
    "negative_prompt": "worm",
    "model": "pocket",
    "scheduler": "Euler",
    "num_inference_steps": 25,
    "guidance_scale": 7.5,
    "seed": 42,
    "width": 64,
    "height": 128,
    "preview_every": 1,
}


def sets_of(*fields: str) -> st.SearchStrategy[dict[str, Any]]:
    """Good values for all these fields, and any values for some of them."""
    some = st.fixed_dictionaries({}, optional={field: FIELDS[field] for field in fields})
    return some.map(lambda asked: {field: GOOD[field] for field in fields} | asked)


@many
@given(sets_of(*FIELDS))
def test_what_is_asked_in_code_is_what_the_wire_and_the_picture_hold(asked: dict[str, Any]) -> None:
    try:
        params = GenerationParams(**asked)
    except ParameterError:
        return
    assert msgspec.structs.asdict(params) == asked
    frame = encode(Submit(request_id="r", params=params))
    received = Decoder[ClientRequest](ClientRequest).decode(frame[4:])
    assert isinstance(received, Submit)
    assert msgspec.structs.asdict(received.params) == asked
    path = Path(os.environ["SDTUI_HOME"]) / "picture.png"
    path.unlink(missing_ok=True)
    write_new(path, encode_png(bytes(3), 1, 1, params, version="1"))
    assert msgspec.structs.asdict(read_record(path).params) == asked


@many
@given(sets_of(*FIELDS))
def test_what_a_stranger_sends_is_taken_as_it_is_or_refused(asked: dict[str, Any]) -> None:
    assume(all(-(2**63) <= number < 2**64 for number in asked.values() if isinstance(number, int)))
    text = [value for value in asked.values() if isinstance(value, str)]
    assume(not any("\ud800" <= sign <= "\udfff" for sign in "".join(text)))
    frame = msgspec.msgpack.encode({"type": "Submit", "request_id": "r", "params": asked})
    try:
        received = Decoder[ClientRequest](ClientRequest).decode(frame)
    except (ParameterError, EngineError):
        return
    assert isinstance(received, Submit)
    assert msgspec.structs.asdict(received.params) == asked


@many
@given(sets_of(*FIELDS), st.data())
def test_what_is_typed_into_the_settings_is_what_is_asked_for(
    asked: dict[str, Any], data: st.DataObject
) -> None:
    pane = Settings(None, lambda field: None)
    for field in data.draw(st.permutations([*asked])):
        if field not in ("prompt", "negative_prompt"):
            pane.type(field, str(asked[field]))
    try:
        params = pane.params(asked["prompt"], asked["negative_prompt"])
    except ParameterError:
        return
    assert_is_what_was_asked(params, asked)


@many
@given(asked=sets_of(*(field for field in FIELDS if field != "preview_every")))
def test_what_the_options_say_is_what_is_asked_for(
    asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assume(asked["prompt"] != "-")
    submitted: list[GenerationParams] = []

    def draw(params: GenerationParams, *_: object, **__: object) -> Path:
        submitted.append(params)
        return Path("picture.png")

    monkeypatch.setattr(through_engine, "draw", draw)
    names = {"num_inference_steps": "steps"}
    options = [
        f"--{names.get(field, field).replace('_', '-')}={value}"
        for field, value in asked.items()
        if field != "prompt"
    ]
    code, said = run("generate", "--json", *options, "--", asked["prompt"])
    assert code in (0, 2, 3), said
    assert "Traceback" not in said
    assert len(submitted) == (code == 0)
    if submitted:
        assert_is_what_was_asked(submitted[0], asked | {"preview_every": 0})


def run(*arguments: str) -> tuple[int, str]:
    """The exit code of a command, and what it said."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", streams[0])
        patch.setattr(sys, "stderr", streams[1])
        code = main(list(arguments))
        for stream in streams:
            stream.flush()
    return code, "".join(stream.buffer.getvalue().decode() for stream in streams)


def assert_is_what_was_asked(params: GenerationParams, asked: dict[str, Any]) -> None:
    """Text that was given is text that is held; names are known in any case, folders by a path."""
    held = msgspec.structs.asdict(params)
    expected = asked | {"scheduler": scheduler_name(asked["scheduler"])}
    folder = Path(asked["model"].strip()).expanduser() if asked["model"].strip() else None
    if held["model"] != asked["model"].strip():
        assert folder is not None
        assert Path(held["model"]) == folder.resolve()
    del held["model"], expected["model"]
    assert held == expected
    assert math.isfinite(held["guidance_scale"])
