"""The settings' values: how they change, what is impossible, and which seed comes next."""

from __future__ import annotations

import pytest

from sdtui.errors import ParameterError
from sdtui.params import MAX_SEED
from sdtui.tui.settings import SETTINGS, Setting, Settings
from tests.tui.stage import params


def settings() -> tuple[Settings, list[str]]:
    changed: list[str] = []
    return Settings(params(), changed.append), changed


def row(field: str) -> Setting:
    return next(setting for setting in SETTINGS if setting.field == field)


@pytest.mark.parametrize(
    ("field", "direction", "times", "becomes"),
    [
        ("num_inference_steps", 1, 1, 26),
        ("num_inference_steps", -1, 10, 15),
        ("num_inference_steps", 1, 1000, 200),
        ("num_inference_steps", -1, 1000, 1),
        ("guidance_scale", 1, 1, 4.5),
        ("guidance_scale", 1, 10, 9.0),
        ("guidance_scale", -1, 1000, 0.0),
        ("width", 1, 1, 136),
        ("height", -1, 10, 64),
        ("seed", -1, 1000, 0),
        ("preview_every", -1, 1, 0),
        ("scheduler", -1, 1, "LCM"),
        ("scheduler", 1, 1, "DPM++ 2M"),
    ],
)
def test_a_tweak_stays_within_the_bounds(
    field: str, direction: int, times: int, becomes: object
) -> None:
    values, changed = settings()
    values.tweak(row(field), direction, times=times)
    assert values.values[field] == becomes
    assert changed == [field]


@pytest.mark.parametrize(
    ("field", "draft", "reason"),
    [
        ("num_inference_steps", "0", "must be from 1 to 200"),
        ("num_inference_steps", "-3", "must be from 1 to 200"),
        ("num_inference_steps", "2.5", "must be a whole number"),
        ("num_inference_steps", "", "must be a whole number"),
        ("guidance_scale", "nan", "must be a finite number"),
        ("guidance_scale", "1e999", "must be a finite number"),
        ("guidance_scale", "x", "must be a finite number"),
        ("seed", str(2**70), f"must be from 0 to {MAX_SEED}"),
        ("height", "100", "must be a multiple of 8"),
        ("width", "9" * 4096, "must be from 64 to 2048"),
        ("model", "x" * 5000, "must have at most 4,096 characters"),
        ("scheduler", "Eulr", "is not one that sdtui knows"),
        ("model", "  ", "is empty"),
        ("next_seed", "often", "must be one of random, fixed, increment"),
        ("batch", "0", "must be from 1 to 100"),
        ("batch", "101", "must be from 1 to 100"),
        ("batch", "two", "must be a whole number"),
    ],
)
def test_an_impossible_draft_says_why_and_leaves_the_value(
    field: str, draft: str, reason: str
) -> None:
    values, changed = settings()
    before = values.values[field]
    values.type(field, draft)
    error = values.error(field)
    assert error is not None
    assert error.reason.startswith(reason)
    assert values.values[field] == before
    assert not changed
    with pytest.raises(ParameterError) as refused:
        values.params("a red apple", "")
    assert refused.value.field == field


def test_a_possible_draft_is_the_value_at_once() -> None:
    values, changed = settings()
    values.type("num_inference_steps", "3")
    values.type("num_inference_steps", "30")
    values.finish("num_inference_steps")
    assert values.values["num_inference_steps"] == 30
    assert changed == ["num_inference_steps"] * 2
    assert not values.drafts


def test_a_name_can_be_typed_in_any_case() -> None:
    values, _ = settings()
    values.type("scheduler", "dpm++ 2m karras")
    assert values.values["scheduler"] == "DPM++ 2M Karras"


def test_forgetting_a_draft_shows_the_value_again() -> None:
    values, _ = settings()
    values.type("height", "100")
    assert values.text(row("height")) == "100"
    values.revert("height")
    assert values.text(row("height")) == "128"


def seeds(mode: str) -> list[int]:
    values, _ = settings()
    values.set("next_seed", mode)
    return [values.params("a", "").seed for _ in range(3)]


def test_the_first_picture_uses_the_seed_on_the_screen_in_every_mode() -> None:
    assert [seeds(mode)[0] for mode in ("random", "fixed", "increment")] == [42, 42, 42]


def test_the_next_seeds_follow_the_mode() -> None:
    assert seeds("fixed") == [42, 42, 42]
    assert seeds("increment") == [42, 43, 44]
    assert len(set(seeds("random"))) == 3


def test_a_batch_uses_as_many_seeds() -> None:
    values, _ = settings()
    values.set("next_seed", "increment")
    values.set("batch", 3)
    assert [values.params("a", "").seed for _ in range(3)] == [42, 45, 48]
    values.set("batch", 1)
    assert [values.params("a", "").seed for _ in range(2)] == [51, 52]


def test_a_typed_seed_is_used_whatever_the_mode() -> None:
    values, _ = settings()
    values.params("a", "")
    values.type("seed", "7")
    values.finish("seed")
    assert values.params("a", "").seed == 7


def test_the_seed_on_the_screen_is_the_one_that_was_used() -> None:
    values, _ = settings()
    for _ in range(3):
        assert values.params("a", "").seed == values.values["seed"]


def test_the_last_seed_is_followed_by_the_first() -> None:
    values, _ = settings()
    values.set("next_seed", "increment")
    values.set("seed", MAX_SEED)
    assert [values.params("a", "").seed for _ in range(2)] == [MAX_SEED, 0]


def test_a_refused_prompt_uses_up_no_seed() -> None:
    values, _ = settings()
    with pytest.raises(ParameterError):
        values.params(" ", "")
    assert values.params("a", "").seed == 42
