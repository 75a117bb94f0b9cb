"""What the interface wants to know of a model before anything loads it: read in a thread."""

from __future__ import annotations

from dataclasses import dataclass, field

from sdtui.errors import ModelError
from sdtui.tui.token_counter import TokenCounter


@dataclass(frozen=True)
class ModelDescription:
    """`native_size` is (width, height) in pixels, `native_guidance` the guidance that suits it.

    `models` are the names that can be chosen.
    `counter` is None where the tokenizer's files are not at hand (a model not downloaded yet).
    """

    model: str
    models: list[str] = field(default_factory=list)
    native_size: tuple[int, int] | None = None
    native_guidance: float | None = None
    examples: list[str] = field(default_factory=list)
    counter: TokenCounter | None = None


def describe(model: str) -> ModelDescription:
    """Read the catalogue and the tokenizer; what cannot be read is left empty.

    The engine says what is wrong with a model when it loads it, so an unreadable one is no error
    here.
    """
    from sdtui.models import catalogue

    models = [entry.name for entry in catalogue.entries()]
    try:
        folder = catalogue.tokenizer_folder(model)
        return ModelDescription(
            model,
            models,
            catalogue.native_size(model),
            catalogue.native_guidance(model),
            catalogue.example_prompts(model),
            TokenCounter.load(folder) if folder else None,
        )
    except (ModelError, OSError, ValueError):
        return ModelDescription(model, models)
