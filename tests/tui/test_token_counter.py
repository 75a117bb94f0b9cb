"""The count beside a prompt equals what transformers' CLIPTokenizer makes of it."""

from __future__ import annotations

import functools
import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdtui.models import catalogue
from sdtui.tui.model_description import describe
from sdtui.tui.token_counter import SEQUENCE_LENGTH, TokenCounter

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

PROMPTS = [
    "",
    " ",
    "a photo of a cat",
    "A  RED\n\napple\t!",
    "it's o'clock, we'll see",
    "(masterpiece:1.2), [red|blue], <lora:x:1>, {a}, [/]",
    "naïve café Ångström e\u0301 ﬁ ½ ²",
    "красное яблоко, 赤いりんご, तितली, 🍎🍏👩‍🚀",
    "<|startoftext|>a<|endoftext|>b <|endoftext|",
    "12345 3d 4k 1.5",
    "␛[31mred␛[0m \u200b\u00a0x",
]


def folder() -> Path:
    """The bundled model's tokenizer."""
    found = catalogue.tokenizer_folder("pocket")
    assert found is not None
    return found


@functools.cache
def oracle() -> CLIPTokenizer:
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(folder())


@functools.cache
def counter() -> TokenCounter:
    return TokenCounter.load(folder())


@functools.cache
def counter_from_parts() -> TokenCounter:
    """The same tokenizer from a folder that holds only `vocab.json` and `merges.txt`."""
    import tempfile

    parts = Path(tempfile.mkdtemp(prefix="sdtui-tokenizer-"))
    try:
        if (folder() / "vocab.json").is_file():
            for name in ("vocab.json", "merges.txt"):
                shutil.copy(folder() / name, parts)
        else:
            model = json.loads((folder() / "tokenizer.json").read_text())["model"]
            (parts / "vocab.json").write_text(json.dumps(model["vocab"]))
            merges = "\n".join(" ".join(pair) for pair in model["merges"])
            (parts / "merges.txt").write_text(f"#version: 0.2\n{merges}\n")
        return TokenCounter.load(parts)
    finally:
        shutil.rmtree(parts)


def tokens_of(text: str) -> int:
    return len(oracle()(text)["input_ids"])


@pytest.mark.parametrize("prompt", PROMPTS)
def test_known_prompts_count_as_in_transformers(prompt: str) -> None:
    assert counter().count(prompt).tokens == tokens_of(prompt)
    assert counter_from_parts().count(prompt).tokens == tokens_of(prompt)


@given(st.text(max_size=120) | st.text("abc 'SĐé.,[]<|>\n0123", max_size=120))
@settings(max_examples=200, deadline=None)
def test_any_prompt_counts_as_in_transformers(prompt: str) -> None:
    assert counter().count(prompt).tokens == tokens_of(prompt)


@given(st.text("abc 'Éé.,[] 0123", max_size=120))
@settings(max_examples=100, deadline=None)
def test_a_tokenizer_in_two_files_counts_the_same(prompt: str) -> None:
    assert counter_from_parts().count(prompt) == counter().count(prompt)


@given(st.lists(st.sampled_from(["a", "red", "apple,", "photograph", "ÉCLAIR", "x1"]), min_size=90))
@settings(max_examples=50, deadline=None)
def test_what_stands_before_the_mark_is_what_the_model_sees(words: list[str]) -> None:
    prompt = " ".join(words)
    count = counter().count(prompt)
    assert count.tokens > SEQUENCE_LENGTH
    assert count.cut_at is not None
    assert counter().count(prompt[: count.cut_at]).tokens == SEQUENCE_LENGTH


def test_a_prompt_that_fits_exactly_is_not_cut() -> None:
    prompt = " ".join(["apple"] * 75)
    assert counter().count(prompt).tokens == SEQUENCE_LENGTH
    assert counter().count(prompt).cut_at is None
    assert counter().count(f"{prompt} red").cut_at == len(prompt) + 1


def test_a_broken_tokenizer_is_an_error_that_can_be_told(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text("{")
    (tmp_path / "merges.txt").write_text("")
    with pytest.raises(ValueError, match=r".+"):
        TokenCounter.load(tmp_path)


@pytest.mark.parametrize(
    "damaged",
    ["", "{}", '{"version": "1.0", "mod', "version https://git-lfs.github.com/spec/v1\n", "\xff"],
)
def test_a_damaged_tokenizer_in_one_file_is_an_error_too_and_leaves_the_count_out(
    tmp_path: Path, damaged: str
) -> None:
    (tmp_path / "tokenizer").mkdir()
    (tmp_path / "tokenizer" / "tokenizer.json").write_text(damaged, encoding="latin-1")
    with pytest.raises(ValueError, match="cannot be read"):
        TokenCounter.load(tmp_path / "tokenizer")
    assert describe(str(tmp_path)).counter is None


@pytest.mark.parametrize("vocabulary", [{"a": 0}, {"a": 0, "b": 1}, {"ab": 0}, ["a", "b", "ab"]])
def test_two_files_that_do_not_belong_together_are_an_error_too(
    tmp_path: Path, vocabulary: object
) -> None:
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary))
    (tmp_path / "merges.txt").write_text("#version: 0.2\na b\n")
    with pytest.raises(ValueError, match=re.escape(str(tmp_path))):
        TokenCounter.load(tmp_path)
