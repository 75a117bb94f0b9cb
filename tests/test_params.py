"""What the parameters accept, and how they refuse."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdtui import params
from sdtui.errors import ParameterError
from sdtui.params import SCHEDULERS, GenerationParams, random_seed, scheduler_name, validate

FIELDS = GenerationParams.__struct_fields__

anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-10, max_value=300),
    st.integers(min_value=8, max_value=256).map(lambda eighth: eighth * 8),
    st.floats(),
    st.floats(min_value=0, max_value=50),
    st.text(),
    st.sampled_from(SCHEDULERS),
    st.binary(max_size=4),
    st.lists(st.integers(), max_size=2),
)


@given(st.dictionaries(st.sampled_from(FIELDS), anything))
def test_any_values_are_kept_as_they_are_or_refused_by_name(values: dict[str, Any]) -> None:
    values = {"prompt": "a red apple", **values}
    refused = ""
    try:
        made = GenerationParams(**values)
    except ParameterError as error:
        refused = error.field
    if refused:
        assert refused in values
    else:
        assert all(getattr(made, field) is value for field, value in values.items())


@given(st.dictionaries(st.sampled_from(FIELDS), anything))
def test_what_was_accepted_passes_the_wire_unchanged(values: dict[str, Any]) -> None:
    try:
        made = GenerationParams(**{"prompt": "a red apple", **values})
    except ParameterError:
        return
    wired = msgspec.msgpack.decode(msgspec.msgpack.encode(made), type=GenerationParams)
    assert wired == made


@given(st.integers())
def test_a_size_is_taken_only_in_its_range_and_by_eights(size: int) -> None:
    fits = params.MIN_SIZE <= size <= params.MAX_SIZE and size % 8 == 0
    if fits:
        validate("width", size)
    else:
        with pytest.raises(ParameterError, match="width"):
            validate("width", size)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("num_inference_steps", 0, "from 1 to 200"),
        ("num_inference_steps", -3, "from 1 to 200"),
        ("num_inference_steps", True, "whole number"),
        ("num_inference_steps", 25.0, "whole number"),
        ("height", 100, "multiple of 8"),
        ("height", 0, "from 64 to 2048"),
        ("guidance_scale", math.nan, "finite"),
        ("guidance_scale", math.inf, "finite"),
        ("guidance_scale", -0.5, "from 0 to 50"),
        ("guidance_scale", 10**400, "from 0 to 50"),
        ("seed", 2**70, "from 0 to"),
        ("seed", -1, "from 0 to"),
        ("prompt", "", "is empty"),
        ("prompt", " \n ", "is empty"),
        ("prompt", "x" * 20_001, "20,001 characters"),
        ("prompt", "\udc80", "not UTF-8"),
        ("negative_prompt", None, "must be text"),
        ("scheduler", "unipc", "not one that sdtui knows"),
        ("model", "", "is empty"),
        ("model", "/models/\udcff", "not UTF-8"),
        ("preview_every", -1, "from 0 to 200"),
    ],
)
def test_a_value_out_of_bounds_is_refused_with_the_field_and_the_bounds(
    field: str, value: Any, reason: str
) -> None:
    with pytest.raises(ParameterError, match=reason) as refusal:
        GenerationParams(**{"prompt": "a red apple", field: value})
    assert refusal.value.field == field
    assert refusal.value.exit_code == 2


def test_a_size_between_two_eights_names_both() -> None:
    with pytest.raises(ParameterError) as refusal:
        validate("height", 100)
    assert refusal.value.remedy == "Try 96 or 104."


def test_a_prompt_of_ten_thousand_characters_is_kept_whole() -> None:
    prompt = "very " * 2_000
    assert GenerationParams(prompt=prompt).prompt == prompt


def test_lcm_takes_at_most_the_steps_it_was_distilled_on() -> None:
    assert GenerationParams(prompt="x", scheduler="LCM", num_inference_steps=50)
    with pytest.raises(ParameterError, match="at most 50 with LCM"):
        GenerationParams(prompt="x", scheduler="LCM", num_inference_steps=51)


def test_an_unknown_field_does_not_pass_the_wire() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.json.decode(b'{"prompt": "x", "stepz": 3}', type=GenerationParams)


def test_parameters_cannot_be_changed_once_made() -> None:
    made = GenerationParams(prompt="x")
    with pytest.raises(AttributeError):
        made.seed = 1  # type: ignore[misc]


@given(st.sampled_from(SCHEDULERS), st.data())
def test_a_scheduler_is_known_in_any_case_and_spacing(name: str, data: st.DataObject) -> None:
    written = "".join(data.draw(st.sampled_from([sign.lower(), sign.upper()])) for sign in name)
    assert scheduler_name(f"  {written.replace(' ', '   ')} ") == name


@given(st.text())
def test_other_schedulers_are_refused(name: str) -> None:
    folded = {scheduler.casefold() for scheduler in SCHEDULERS}
    if " ".join(name.split()).casefold() not in folded:
        with pytest.raises(ParameterError, match="scheduler"):
            scheduler_name(name)


def test_a_random_seed_can_be_used_and_read_out() -> None:
    seeds = {random_seed() for _ in range(100)}
    assert len(seeds) > 90
    for seed in seeds:
        validate("seed", seed)
        assert len(str(seed)) <= 10
