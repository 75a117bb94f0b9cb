"""What pictures are called: known fields only, and never a way out of the output folder."""

from __future__ import annotations

import datetime
import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdtui import paths
from sdtui.errors import ParameterError
from sdtui.history.images import new_paths, save_image
from sdtui.history.naming import NameTemplate, slug
from sdtui.params import MAX_SEED, GenerationParams
from sdtui.text import clean

TODAY = datetime.date(2026, 1, 2)
APPLE = GenerationParams(prompt="A red, apple!", seed=42, model="org/some-Model.v1/")

FIELDS = ["{date}", "{seed}", "{model}", "{prompt}", "{number}"]
PIECES = [*FIELDS, "/", "..", ".", "-", "a", "{{", "~"]


def named(template: str, params: GenerationParams = APPLE, taken: set[str] | None = None) -> str:
    made = NameTemplate(template)
    return str(made.folder(params, TODAY) / next(made.names(params, TODAY, taken or set())))


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (paths.picture_names(), "2026-01-02/0001-a-red-apple-42.png"),
        ("{number}", "0001.png"),
        ("{prompt}.png", "a-red-apple.png"),
        ("{model}/{date}/{seed} {number}", "some-model-v1/2026-01-02/42 0001.png"),
        ("my {{best}} {seed}", "my {best} 42.png"),
        ("Bilder/ähnlich/{seed}", "Bilder/ähnlich/42.png"),
    ],
)
def test_fields_are_filled_in(template: str, expected: str) -> None:
    assert named(template) == expected


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{glow}", "{glow} is no field"),
        ("{}", "{} is no field"),
        ("{0}", "{0} is no field"),
        ("{seed.real}", "{seed.real} is no field"),
        ("{prompt.__class__.__mro__}", "is no field"),
        ("{prompt[0]}", "{prompt[0]} is no field"),
        ("{seed!r}", "{seed} is no field"),
        ("{seed:>9999999999}", "{seed} is no field"),
        ("{seed:{number}}", "{seed} is no field"),
        ("{seed", "cannot be read"),
        ("seed}", "cannot be read"),
        ("/{seed}", "empty part"),
        ("{seed}/", "empty part"),
        ("{date}//{seed}", "empty part"),
        (" /{seed}", "empty part"),
        (".png", "empty part"),
        ("../{seed}", "begins with a dot"),
        ("{date}/../../{seed}", "begins with a dot"),
        ("{date}/./{seed}", "begins with a dot"),
        (".hidden-{seed}", "begins with a dot"),
        ("{number}/{seed}", "the file's own"),
        ("a\\{seed}", "no part of a name"),
        ("a\0{seed}", "no part of a name"),
        ("a\n{seed}", "no part of a name"),
        ("\x1b[2J{seed}", "no part of a name"),
        ("\u202e{seed}", "no part of a name"),
        ("\udcff{seed}", "no part of a name"),
        ("x" * 241, "too long"),
        ("{prompt}" * 6, "too long"),
        ("ä" * 100 + "{prompt}", "too long"),
        ("/".join(["x" * 200] * 6), "too long"),
    ],
)
def test_a_template_that_makes_no_name_is_a_clear_error(template: str, said: str) -> None:
    with pytest.raises(ParameterError) as caught:
        NameTemplate(template)
    assert "SDTUI_PICTURE_NAMES" in caught.value.title
    assert said in caught.value.title
    assert caught.value.remedy


@given(
    template=st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), max_size=8).map(
        "".join
    ),
    prompt=st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip),
    model=st.one_of(
        st.sampled_from(["..", "/", "../../etc", "a/..", "/abs/."]),
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip),
    ),
    seed=st.integers(0, MAX_SEED),
)
def test_no_template_prompt_or_model_leaves_the_folder(
    template: str, prompt: str, model: str, seed: int
) -> None:
    params = GenerationParams(prompt=prompt, model=model, seed=seed)
    try:
        name = named(template, params)
    except ParameterError:
        return
    root = "/pictures"
    path = f"{root}/{name}"
    assert os.path.normpath(path) == path
    assert path.endswith(".png")
    parts = name.split("/")
    assert "" not in parts
    assert not [part for part in parts if part.startswith(".") or len(part.encode()) > 255]
    assert clean(name) == name


def test_numbers_go_on_from_the_highest_of_any_prompt_and_seed() -> None:
    taken = {"0041-something-else-1.png", "notes.txt", "9999.png", "0050-x-1.jpg"}
    assert named("{number}-{prompt}-{seed}", taken=taken) == "0042-a-red-apple-42.png"
    assert named("{prompt}_{number}", taken={"x_0007.png", "y_0012.png"}) == "a-red-apple_0013.png"
    assert named("{number}", taken={"9999.png"}) == "10000.png"
    assert named("{number}+{number}", taken={"0003+0003.png"}) == "0004+0004.png"


def test_without_a_number_a_taken_name_gets_one_behind_it() -> None:
    template = NameTemplate("{prompt}")
    taken = {"a-red-apple.png", "a-red-apple-3.png"}
    names = itertools.islice(template.names(APPLE, TODAY, taken), 2)
    assert list(names) == ["a-red-apple-2.png", "a-red-apple-4.png"]


def test_pictures_are_saved_under_the_names_that_the_user_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SDTUI_PICTURE_NAMES", "{model}/{prompt}")
    rgb = bytes(64 * 64 * 3)
    saved = [save_image(rgb, 64, 64, APPLE, version="0") for _ in range(3)]
    assert [str(path.relative_to(paths.images_dir())) for path in saved] == [
        "some-model-v1/a-red-apple.png",
        "some-model-v1/a-red-apple-2.png",
        "some-model-v1/a-red-apple-3.png",
    ]
    monkeypatch.setenv("SDTUI_PICTURE_NAMES", "../{seed}")
    with pytest.raises(ParameterError):
        next(new_paths(APPLE))


def test_an_engine_with_a_template_that_makes_no_name_does_not_start_and_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SDTUI_PICTURE_NAMES", "{date}/../{seed}")
    done = subprocess.run(
        [sys.executable, "-m", "sdtui", "queue", "resume"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 5
    assert "SDTUI_PICTURE_NAMES: has a part that begins with a dot" in done.stderr
    assert not Path(paths.images_dir()).exists()


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("A Red, Apple!", "a-red-apple"),
        ("crème brûlée", "creme-brulee"),
        ("🍎", "picture"),
        ("word " * 30, "word-word-word-word-word-word-word-word-word-wor"),
    ],
)
def test_a_name_is_made_of_plain_words(prompt: str, expected: str) -> None:
    assert slug(prompt) == expected
