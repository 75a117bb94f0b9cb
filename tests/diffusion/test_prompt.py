"""Text becomes ids, and ids become embeddings."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import torch
from transformers import CLIPTokenizer

from sdtui.diffusion.components import LoadedComponents
from sdtui.diffusion.prompt import encode, tokenize


def test_a_prompt_becomes_clips_ids(components: LoadedComponents) -> None:
    tokenized = tokenize(components.tokenizer, "a photo of a cat")

    assert tokenized.tokens == [
        (49406, "<|startoftext|>"),
        (320, "a</w>"),
        (1125, "photo</w>"),
        (539, "of</w>"),
        (320, "a</w>"),
        (2368, "cat</w>"),
        (49407, "<|endoftext|>"),
    ]
    assert tokenized.padding == 70
    assert tokenized.sequence_length == 77
    assert tokenized.vocabulary == 49408
    assert tokenized.input_ids.shape == (1, 77)
    assert set(tokenized.input_ids[0, 7:].tolist()) == {tokenized.pad_token_id}
    assert tokenized.cut == ""


def test_an_empty_prompt_is_two_specials_and_padding(components: LoadedComponents) -> None:
    tokenized = tokenize(components.tokenizer, "")

    assert [id for id, _ in tokenized.tokens] == [49406, 49407]
    assert tokenized.padding == 75


def test_a_prompt_that_just_fits_is_not_cut(components: LoadedComponents) -> None:
    tokenized = tokenize(components.tokenizer, "cat " * 75)

    assert len(tokenized.tokens) == 77
    assert tokenized.padding == 0
    assert tokenized.cut == ""


def test_what_does_not_fit_is_told_in_the_users_own_spelling(
    components: LoadedComponents,
) -> None:
    tokenized = tokenize(components.tokenizer, "cat " * 75 + "and  a Red\nApple")

    assert len(tokenized.tokens) == 77
    assert tokenized.tokens[-1] == (49407, "<|endoftext|>")
    assert tokenized.cut == "and  a Red\nApple"


def test_text_that_is_not_ascii_is_cut_at_a_character(components: LoadedComponents) -> None:
    text = "日本語の絵 🍎 " * 40

    tokenized = tokenize(components.tokenizer, text)

    assert len(tokenized.tokens) == 77
    assert tokenized.cut
    assert text.strip().endswith(tokenized.cut)


@pytest.mark.parametrize("text", ["café", "日", "🍎", "naïve привет", "100 €", "月月", "x日y"])
def test_tokens_are_told_as_the_text_that_they_stand_for(
    components: LoadedComponents, text: str
) -> None:
    tokenized = tokenize(components.tokenizer, text)

    told = "".join(token for _, token in tokenized.tokens[1:-1]).replace("</w>", " ").strip()
    spelled = re.sub("(?:<[0-9A-F ]+>)+", decoded, told)
    assert spelled.replace(" ", "") == text.replace(" ", "")


def decoded(shown: re.Match[str]) -> str:
    return bytes.fromhex(shown[0].replace("<", "").replace(">", " ")).decode()


def test_a_word_with_an_accent_and_a_picture_are_told_as_they_are(
    components: LoadedComponents,
) -> None:
    assert words(components, "café") == ["café</w>"]
    assert words(components, "🍎") == ["🍎</w>"]


def test_a_part_of_a_character_is_told_as_its_bytes(components: LoadedComponents) -> None:
    assert words(components, "月") == ["<E6 9C>", "<88></w>"]


def words(components: LoadedComponents, text: str) -> list[str]:
    return [token for _, token in tokenize(components.tokenizer, text).tokens[1:-1]]


def test_a_tokenizer_of_vocabulary_and_merges_gives_the_same_ids(
    components: LoadedComponents, tmp_path: Path
) -> None:
    """Stable Diffusion 1.5 has these two files and no tokenizer.json."""
    components.tokenizer.backend_tokenizer.model.save(str(tmp_path))
    shutil.copy(components.folder / "tokenizer" / "tokenizer_config.json", tmp_path)
    tokenizer = CLIPTokenizer.from_pretrained(tmp_path, local_files_only=True)

    tokenized = tokenize(tokenizer, "a photo of a cat")

    assert tokenized.tokens == tokenize(components.tokenizer, "a photo of a cat").tokens
    assert tokenized.sequence_length == 77


def test_both_prompts_are_encoded_in_the_models_width(components: LoadedComponents) -> None:
    hidden = components.text_encoder.config.hidden_size
    prompt = tokenize(components.tokenizer, "a red apple")
    negative_prompt = tokenize(components.tokenizer, "")

    embeds = encode(components.text_encoder, prompt, negative_prompt)

    assert embeds.prompt_embeds.shape == embeds.negative_prompt_embeds.shape == (1, 77, hidden)
    assert embeds.prompt_embeds.dtype == torch.float32
    assert not torch.equal(embeds.prompt_embeds, embeds.negative_prompt_embeds)
    assert embeds.norm > 0
    assert embeds.negative_norm > 0
