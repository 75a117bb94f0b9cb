"""What the settings pane holds: the values, the drafts being typed, and how keys change them.

No widget lives here. A draft is text that is being typed over a value: a possible one becomes the
value at once, an impossible one stays as it is, says why, and keeps a picture from starting.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from sdtui.errors import ParameterError
from sdtui.params import (
    MAX_BATCH,
    MAX_GUIDANCE,
    MAX_PREVIEW_EVERY,
    MAX_SEED,
    MAX_SIZE,
    MAX_STEPS,
    MIN_BATCH,
    MIN_GUIDANCE,
    MIN_SIZE,
    MIN_STEPS,
    SCHEDULERS,
    SIZE_MULTIPLE,
    GenerationParams,
    later_seed,
    random_seed,
    scheduler_name,
    validate,
)

SEED_MODES = ("random", "fixed", "increment")
ABOUT_SEEDS = ("next_seed", "batch")
"""What is asked for beside the parameters: how seeds follow one another, and how many pictures."""
LONGEST_DRAFT = 4096
"""In characters; no path is longer."""


@dataclass(frozen=True)
class Setting:
    """One row: the field of `GenerationParams` (or one of `ABOUT_SEEDS`), its label and its unit.

    Numbers have a smallest change `step` and bounds; choices have none.
    """

    field: str
    label: str
    unit: str = ""
    step: float = 0
    lowest: float = 0
    highest: float = 0
    starts_group: bool = False

    @property
    def is_choice(self) -> bool:
        """Whether the value is one of a list."""
        return not self.step


SETTINGS: tuple[Setting, ...] = (
    Setting("model", "model"),
    Setting("scheduler", "scheduler"),
    Setting("num_inference_steps", "steps", "", 1, MIN_STEPS, MAX_STEPS, starts_group=True),
    Setting("guidance_scale", "guidance", "", 0.5, MIN_GUIDANCE, MAX_GUIDANCE),
    Setting("seed", "seed", "", 1, 0, MAX_SEED, starts_group=True),
    Setting("next_seed", "next seed"),
    Setting("batch", "batch", "", 1, MIN_BATCH, MAX_BATCH),
    Setting("width", "width", "px", SIZE_MULTIPLE, MIN_SIZE, MAX_SIZE, starts_group=True),
    Setting("height", "height", "px", SIZE_MULTIPLE, MIN_SIZE, MAX_SIZE),
    Setting("preview_every", "preview", "", 1, 0, MAX_PREVIEW_EVERY, starts_group=True),
)


class Settings:
    """The values of every row.

    They begin as those of `start`, or as the defaults with a seed of their own. `changed` is
    called with a field's name whenever its value became another one.
    """

    def __init__(self, start: GenerationParams | None, changed: Callable[[str], None]) -> None:
        self._changed = changed
        values = msgspec.structs.asdict(start) if start else _defaults()
        self.values: dict[str, Any] = {
            row.field: values[row.field] for row in SETTINGS if row.field in values
        }
        self.values |= {"next_seed": "random", "batch": 1}
        self.drafts: dict[str, str] = {}
        self.models: list[str] = [self.values["model"]]
        self._seeds_used = 0

    def text(self, setting: Setting) -> str:
        """The value as the pane shows it, or the draft that is being typed."""
        if setting.field in self.drafts:
            return self.drafts[setting.field]
        value = self.values[setting.field]
        match setting.field:
            case "guidance_scale":
                return f"{value:.1f}" if round(value, 1) == value else str(value)
            case "preview_every":
                return {0: "off", 1: "every step"}.get(value, f"every {value} steps")
            case _:
                return str(value)

    def error(self, field: str) -> ParameterError | None:
        """Why the draft of `field` is impossible, if it is."""
        draft = self.drafts.get(field)
        if draft is None:
            return None
        try:
            self._parsed(field, draft)
        except ParameterError as error:
            return error
        return None

    def first_error(self) -> ParameterError | None:
        """The first row that keeps a picture from starting."""
        errors = (self.error(row.field) for row in SETTINGS)
        return next((error for error in errors if error is not None), None)

    def choices(self, field: str) -> list[str]:
        """What a choice chooses from."""
        match field:
            case "model":
                return self.models
            case "scheduler":
                return list(SCHEDULERS)
            case _:
                return list(SEED_MODES)

    def tweak(self, setting: Setting, direction: int, *, times: int = 1) -> None:
        """Change a value by `times` its smallest change, up (+1) or down (-1), within bounds."""
        self.drafts.pop(setting.field, None)
        value = self.values[setting.field]
        if setting.is_choice:
            choices = self.choices(setting.field)
            position = choices.index(value) if value in choices else -1
            self.set(setting.field, choices[(position + direction) % len(choices)])
            return
        changed = value + direction * setting.step * times
        changed = min(max(changed, setting.lowest), setting.highest)
        self.set(setting.field, round(changed, 2) if setting.step < 1 else int(changed))

    def holds(self, field: str, value: object) -> bool:
        """Whether the value of `field` is this one now."""
        return self.values.get(field) == value

    def type(self, field: str, draft: str) -> None:
        """Replace a value by what is typed so far; an impossible draft leaves the value alone."""
        self.drafts[field] = draft[: LONGEST_DRAFT + 1]
        try:
            value = self._parsed(field, self.drafts[field])
        except ParameterError:
            return
        self.set(field, value)

    def finish(self, field: str) -> None:
        """End the typing. A possible draft is the value already; an impossible one stays to see."""
        if self.error(field) is None:
            self.drafts.pop(field, None)

    def revert(self, field: str) -> None:
        """Forget the draft."""
        self.drafts.pop(field, None)

    def set(self, field: str, value: Any) -> None:
        """Give a field a possible value."""
        if field == "seed":
            self._seeds_used = 0
        if self.values[field] != value:
            self.values[field] = value
            self._changed(field)

    def adopt(self, params: GenerationParams) -> None:
        """Show the parameters of a picture that was asked for elsewhere."""
        self.drafts.clear()
        self.begin_with(**msgspec.structs.asdict(params))
        self._seeds_used = 1

    def begin_with(self, **values: Any) -> None:
        """Show these values where nobody has changed any; that is no change of theirs."""
        self.values |= {field: value for field, value in values.items() if field in self.values}

    def new_seed(self) -> None:
        """Draw a seed that the next picture uses."""
        self.drafts.pop("seed", None)
        self.set("seed", random_seed())

    def params(self, prompt: str, negative_prompt: str) -> GenerationParams:
        """The parameters of the next picture; `ParameterError` names the field that is impossible.

        They are those of the first one of a batch. A seed that a picture has used already is
        followed by the one that `next_seed` asks for.
        """
        error = self.first_error()
        if error is not None:
            raise error
        validate("prompt", prompt)
        values = {field: value for field, value in self.values.items() if field not in ABOUT_SEEDS}
        values["seed"] = self._next_seed()
        params = GenerationParams(prompt=prompt, negative_prompt=negative_prompt, **values)
        self.set("seed", params.seed)
        self._seeds_used = self.values["batch"]
        return params

    def _next_seed(self) -> int:
        seed: int = self.values["seed"]
        if not self._seeds_used or self.values["next_seed"] == "fixed":
            return seed
        if self.values["next_seed"] == "random":
            return random_seed()
        return later_seed(seed, self._seeds_used)

    def _parsed(self, field: str, draft: str) -> Any:
        if len(draft) > LONGEST_DRAFT:
            raise ParameterError(field, f"must have at most {LONGEST_DRAFT:,} characters")
        text = draft.strip()
        match field:
            case "next_seed":
                if text not in SEED_MODES:
                    raise ParameterError(field, f"must be one of {', '.join(SEED_MODES)}")
                return text
            case "model":
                value: Any = text
            case "scheduler":
                value = scheduler_name(text)
            case "guidance_scale":
                value = _number(text, float, "must be a finite number", field)
            case _:
                value = _number(text, int, "must be a whole number", field)
        validate(field, value)
        return value


def _defaults() -> dict[str, Any]:
    fields = msgspec.structs.fields(GenerationParams)
    return {field.name: field.default for field in fields} | {"seed": random_seed()}


def _number(text: str, kind: Callable[[str], Any], reason: str, field: str) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise ParameterError(field, reason) from None
