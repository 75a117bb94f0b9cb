"""What is known of the chosen model: what counts its tokens, what suits it, what it can draw."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from textual import on

from sdtui.tui.actions import ACTIONS
from sdtui.tui.messages import ModelDescribed
from sdtui.tui.screens.full_preview import FullPreview

if TYPE_CHECKING:
    from sdtui.params import GenerationParams
    from sdtui.tui.bridge import EngineBridge
    from sdtui.tui.model_description import ModelDescription

_EXAMPLE_KEY = next(action.key for action in ACTIONS if action.name == "try an example")


class ModelScreen(FullPreview):
    """The main screen's layout, told of the model that the settings name.

    `bridge` is there once the screen is filled.
    """

    bridge: EngineBridge

    def __init__(self, start: GenerationParams | None) -> None:
        super().__init__(start)
        self._examples: list[str] = []
        self._was_changed = False

    @property
    def is_untouched(self) -> bool:
        """Whether nobody has asked for anything here yet.

        Prompts that were written here and emptied again are not another picture's to fill.
        """
        return not (self._was_changed or self.prompt.text or self.negative.text)

    @on(ModelDescribed)
    def _model_is_known(self, message: ModelDescribed) -> None:
        known = message.description
        if known.model != self.panel.settings.values["model"]:
            return
        self.panel.settings.models = known.models or [known.model]
        self.prompt.set_counter(known.counter)
        self.negative.set_counter(known.counter)
        self._examples = known.examples
        self._invite()

    def _invite(self) -> None:
        """Show what could be drawn where nothing is, has been or failed to be."""
        preview = self.run_view.preview
        if preview.frame is None and not preview.shows_failure and self.bridge.running is None:
            room = preview.content_size.width
            fitting = [prompt for prompt in self._examples if cell_len(prompt) <= room]
            preview.show_empty((fitting or self._examples)[:3], _EXAMPLE_KEY)

    def _model_chosen(self) -> None:
        self._describe_model(self._use_model)

    def _load_model(self) -> None:
        self.ask(self.bridge.load_model(self.panel.settings.values["model"]))

    def _adopt_model(self, model: str) -> None:
        """Begin with the model that the engine holds in place of the one that would be loaded."""
        values = self.panel.settings.values
        if model != values["model"]:
            self._read_model(model, partial(self._begin_with_model, dict(values)))

    def _describe_model(self, use: Callable[[ModelDescription], None] | None = None) -> None:
        self._read_model(self.panel.settings.values["model"], use)

    def _read_model(self, model: str, use: Callable[[ModelDescription], None] | None) -> None:
        self.run_worker(partial(self._read_description, model, use), thread=True, group="model")

    def _read_description(self, model: str, use: Callable[[ModelDescription], None] | None) -> None:
        from sdtui.tui.model_description import describe

        description = describe(model)
        if use is not None:
            self.app.call_from_thread(use, description)
        self.post_message(ModelDescribed(description))

    def _begin_with_model(self, before: dict[str, Any], description: ModelDescription) -> None:
        """Take the model and what suits it at once, unless the settings are others by now.

        A prompt that is begun meanwhile is as well drawn by that model.
        """
        settings = self.panel.settings
        if settings.values == before:
            settings.begin_with(model=description.model, **_suiting(description))
            self.panel.refresh()

    def _use_model(self, description: ModelDescription) -> None:
        """Give a chosen model what suits it; load it unless that would download it unasked."""
        if not self.panel.settings.holds("model", description.model):
            return
        for field, value in _suiting(description).items():
            # A change of guidance is for the picture that is being made, if there is one.
            if field != "guidance_scale" or not self.bridge.running:
                self.panel.update(field, value)
        if description.counter:
            self._load_model()
        else:
            words = "this model is loaded when a picture is asked for"
            settings = self.panel.settings
            self.status.note(lambda: words if settings.holds("model", description.model) else "")

    def action_example(self) -> None:
        """Fill in a known prompt, another one than stands there."""
        known = [prompt for prompt in self._examples if prompt != self.prompt.text]
        if known:
            self.show_negative(False)
            self.prompt.replace_text(random.choice(known))
            self.prompt.focus()


def _suiting(description: ModelDescription) -> dict[str, float]:
    values: dict[str, float] = {}
    if description.native_size:
        values["width"], values["height"] = description.native_size
    if description.native_guidance is not None:
        values["guidance_scale"] = description.native_guidance
    return values
