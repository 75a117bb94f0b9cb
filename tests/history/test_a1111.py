"""The text that other tools read from a picture."""

from __future__ import annotations

import json
import re

from sdtui.history.a1111 import parameters_text
from sdtui.history.picture_record import PictureRecord
from sdtui.params import GenerationParams

PAIR = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
"""How A1111 takes the last line apart."""


def text_of(**settings: object) -> str:
    params = GenerationParams(**({"prompt": "a red apple"} | settings))  # type: ignore[arg-type]
    record = PictureRecord(version="0.1.0", params=params)
    return parameters_text(record, params.width, params.height)


def pairs(text: str) -> dict[str, str]:
    found = PAIR.findall(text.splitlines()[-1])
    return {key: json.loads(value) if value[:1] == '"' else value for key, value in found}


def test_it_is_written_as_other_tools_expect_it() -> None:
    assert text_of(negative_prompt="blurry", seed=42, width=512, height=512) == (
        "a red apple\n"
        "Negative prompt: blurry\n"
        "Steps: 25, Sampler: UniPC, Schedule type: Automatic, CFG scale: 4, Seed: 42, "
        "Size: 512x512, Model: pocket, RNG: CPU, Version: sdtui 0.1.0"
    )


def test_an_empty_negative_prompt_is_left_out() -> None:
    assert "Negative" not in text_of()


def test_sampler_and_schedule_are_two_things() -> None:
    found = pairs(text_of(scheduler="DPM++ 2M Karras"))
    assert (found["Sampler"], found["Schedule type"]) == ("DPM++ 2M", "Karras")
    found = pairs(text_of(scheduler="Euler a"))
    assert (found["Sampler"], found["Schedule type"]) == ("Euler a", "Automatic")


def test_a_model_is_known_to_other_tools_by_ten_digits_of_its_hash() -> None:
    params = GenerationParams(prompt="a red apple")
    record = PictureRecord(version="0.1.0", params=params, unet_sha256="0123456789abcdef" * 4)
    found = pairs(parameters_text(record, 128, 128))
    assert found["Model hash"] == "0123456789"
    assert "Model hash" not in pairs(text_of())


def test_a_model_has_its_bare_name() -> None:
    found = pairs(text_of(model="/home/someone/models/my-model/"))
    assert found["Model"] == "my-model"
    assert pairs(text_of(model="stable-diffusion-v1-5/stable-diffusion-v1-5"))["Model"] == (
        "stable-diffusion-v1-5"
    )


def test_values_with_commas_and_colons_are_quoted() -> None:
    text = text_of(model='odd, "name": x')
    assert pairs(text)["Model"] == 'odd, "name": x'
    assert pairs(text)["Version"] == "sdtui 0.1.0"


def test_a_change_of_guidance_on_the_way_is_told() -> None:
    params = GenerationParams(prompt="x")
    record = PictureRecord(
        version="0.1.0", params=params, guidance_adjustments=[(3, 2.0), (7, 12.5)]
    )
    found = pairs(parameters_text(record, 128, 128))
    assert found["CFG scale adjusted"] == "2 from step 4, 12.5 from step 8"
    assert found["CFG scale"] == "4"
