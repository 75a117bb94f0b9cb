"""No token of the hub is read by anybody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sdtui.diffusion import redaction
from sdtui.diffusion.redaction import REDACTED, redact


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Tokens are looked up once a process, and here once a test."""
    redaction._tokens.cache_clear()
    yield
    redaction._tokens.cache_clear()


@pytest.mark.parametrize("name", ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"])
def test_the_tokens_of_the_environment_are_taken_out(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, " of-no-known-shape\n")
    assert redact("sent of-no-known-shape.") == f"sent {REDACTED}."


def test_the_token_of_a_login_is_taken_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "token"
    file.write_text("from-a-login\n")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(file))
    assert redact("sent from-a-login") == f"sent {REDACTED}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("hf_abcdefghijklmnop is it", f"{REDACTED} is it"),
        ("Authorization: Bearer abc.def", f"Authorization: Bearer {REDACTED}"),
        ("https://me:secret@hub.example/x", f"https://{REDACTED}@hub.example/x"),
        ("https://hub.example/models/a@b", "https://hub.example/models/a@b"),
        ("the hf_hub of half_life", "the hf_hub of half_life"),
    ],
)
def test_what_looks_like_a_token_is_taken_out_and_nothing_else(text: str, shown: str) -> None:
    assert redact(text) == shown
