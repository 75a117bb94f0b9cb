"""The main screen: prompts above, settings, preview and log side by side, progress below."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.style import Style
from textual.timer import Timer

from sdtui.errors import ParameterError, SdtuiError
from sdtui.params import GenerationParams
from sdtui.protocol.events import JobStarted
from sdtui.text import clean
from sdtui.tui.actions import ACTIONS, bindings
from sdtui.tui.bridge import Connect, EngineBridge
from sdtui.tui.messages import (
    EngineConnected,
    EngineLost,
    EventReceived,
    FrameArrived,
    ModelDescribed,
)
from sdtui.tui.model_description import ModelDescription, describe
from sdtui.tui.run_view import RunView, shown_path
from sdtui.tui.widgets.curves import Curves
from sdtui.tui.widgets.key_bar import KeyBar
from sdtui.tui.widgets.parameter_panel import ParameterPanel
from sdtui.tui.widgets.preview import Preview
from sdtui.tui.widgets.prompt_input import PromptInput
from sdtui.tui.widgets.status_bar import StatusBar
from sdtui.tui.widgets.step_progress import StepProgress
from sdtui.tui.widgets.token_log import TokenLog

_WIDTHS = [(0, "-small"), (72, "-medium"), (121, "-wide")]
_HEIGHTS = [(0, "-short"), (24, "-normal"), (36, "-tall")]
_EXAMPLE_KEY = next(action.key for action in ACTIONS if action.name == "try an example")
_SETTLING_SECONDS = 0.4
"""A value that is still being typed or tweaked is sent to the engine once it rests this long."""


class MainScreen(Screen[None]):
    """Where a prompt becomes a picture."""

    AUTO_FOCUS = "#prompt"
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    VERTICAL_BREAKPOINTS = _HEIGHTS
    BINDINGS: ClassVar[list[BindingType]] = bindings("screen")

    def __init__(self, connect: Connect, start: GenerationParams | None = None) -> None:
        super().__init__()
        self.bridge = EngineBridge(self, connect)
        self._start_params = start
        self._examples: list[str] = []
        self._owes_credit = False
        self._awaiting_engine: GenerationParams | None = None
        self._settling: dict[str, Timer] = {}

    def compose(self) -> ComposeResult:
        """The widgets, top to bottom."""
        start = self._start_params
        yield StatusBar(id="status")
        with Horizontal(id="prompts"):
            yield PromptInput(
                start.prompt if start else "", placeholder="What to draw", id="prompt"
            )
            yield PromptInput(
                start.negative_prompt if start else "", placeholder="What to avoid", id="negative"
            )
        with Horizontal(id="panes"):
            with Vertical(id="settings"):
                yield ParameterPanel(start, id="parameters")
                yield Curves(id="curves")
            yield Preview(id="preview")
            yield TokenLog(id="log")
        yield StepProgress(id="progress")
        yield KeyBar(id="keys")

    def on_mount(self) -> None:
        """Everything that the first paint does not need waits until it is over."""
        self.prompt = self.query_one("#prompt", PromptInput)
        self.negative = self.query_one("#negative", PromptInput)
        self.panel = self.query_one(ParameterPanel)
        self.run_view = RunView(
            self.query_one(Preview),
            self.query_one(TokenLog),
            self.query_one(Curves),
            self.query_one(StepProgress),
            self.query_one(StatusBar),
        )
        for prompt in (self.prompt, self.negative):
            prompt.move_cursor(prompt.document.end)
        self._retitle()
        self.call_after_refresh(self._start)

    def _start(self) -> None:
        self.run_worker(self.bridge.run(), group="engine")
        self._describe_model()

    # What the engine says ----------------------------------------------------------------------

    @on(EventReceived)
    def _show_event(self, message: EventReceived) -> None:
        self.run_view.show(message.event)
        if isinstance(message.event, JobStarted):
            self._ask_for_another_frame()

    @on(FrameArrived)
    def _show_frame(self) -> None:
        self._owes_credit = True
        frame = self.bridge.take_frame()
        if frame is not None:
            self.run_view.preview.show(frame)
        else:
            self._ask_for_another_frame()

    @on(Preview.FramePainted)
    def _ask_for_another_frame(self) -> None:
        """Every preview that came is answered by one credit, be it painted, replaced or dropped."""
        if self._owes_credit:
            self._owes_credit = False
            self._request(self._grant())

    @on(EngineConnected)
    def _engine_is_there(self, message: EngineConnected) -> None:
        self._owes_credit = False
        status = message.status
        if status is not None:
            self.run_view.show(status)
        waiting, self._awaiting_engine = self._awaiting_engine, None
        if waiting is not None:
            self._request(self._submit(waiting))
        elif status is None or status.running_job_id is None:
            self._request(self._load_model())

    @on(EngineLost)
    def _engine_is_gone(self, message: EngineLost) -> None:
        self.run_view.lose_engine("trying again")
        if message.error is not None:
            self.run_view.status.note(message.error.title)

    @on(ModelDescribed)
    def _model_is_known(self, message: ModelDescribed) -> None:
        known = message.description
        if known.model != self.panel.settings.values["model"]:
            return
        self.panel.settings.models = known.models or [known.model]
        self.prompt.set_counter(known.counter)
        self.negative.set_counter(known.counter)
        self._examples = known.examples
        if self.run_view.preview.frame is None and self.run_view.running is None:
            self.run_view.preview.show_empty(known.examples[:3], _EXAMPLE_KEY)

    # What the user changes ---------------------------------------------------------------------

    @on(ParameterPanel.Changed)
    def _setting_changed(self, message: ParameterPanel.Changed) -> None:
        match message.field:
            case "guidance_scale" if self.run_view.running:
                self._when_settled("guidance", lambda: self._request(self._adjust()))
            case "model":
                self._when_settled("model", self._model_chosen)

    @on(PromptInput.Submitted)
    def _prompt_submitted(self) -> None:
        self.action_generate()

    def _model_chosen(self) -> None:
        self._describe_model(set_size=True)
        self._request(self._load_model())

    def _describe_model(self, set_size: bool = False) -> None:
        model = self.panel.settings.values["model"]
        self.run_worker(
            partial(self._read_description, model, set_size), thread=True, group="model"
        )

    def _read_description(self, model: str, set_size: bool) -> None:
        description: ModelDescription = describe(model)
        if set_size and description.native_size:
            self.app.call_from_thread(self._set_size, model, description.native_size)
        self.post_message(ModelDescribed(description))

    def _set_size(self, model: str, size: tuple[int, int]) -> None:
        if model == self.panel.settings.values["model"]:
            self.panel.update("width", size[0])
            self.panel.update("height", size[1])

    def _when_settled(self, name: str, callback: Callable[[], None]) -> None:
        if name in self._settling:
            self._settling[name].stop()
        self._settling[name] = self.set_timer(_SETTLING_SECONDS, callback)

    # Requests ----------------------------------------------------------------------------------

    def _request(self, work: Coroutine[Any, Any, None]) -> None:
        self.run_worker(self._carry_out(work), group="requests")

    async def _carry_out(self, work: Coroutine[Any, Any, None]) -> None:
        """The engine may be lost in the middle of a request: the bridge tells of that at once."""
        try:
            await work
        except SdtuiError as error:
            self.run_view.status.note(error.title)

    async def _submit(self, params: GenerationParams) -> None:
        try:
            job_id = await self.bridge.submit(params)
        except ParameterError as error:
            self._show_parameter_error(error)
        except SdtuiError as error:
            self.run_view.preview.show_failure(error.title, error.message, error.remedy)
        else:
            if job_id is None:
                self._awaiting_engine = params
                self.run_view.status.note("starts as soon as the engine is there")

    async def _stop(self) -> None:
        if self.bridge.client and self.run_view.running:
            await self.bridge.client.cancel(self.run_view.running)

    async def _adjust(self) -> None:
        if self.bridge.client and self.run_view.running:
            guidance = self.panel.settings.values["guidance_scale"]
            await self.bridge.client.adjust(self.run_view.running, guidance)

    async def _load_model(self) -> None:
        if self.bridge.client:
            await self.bridge.client.load_model(self.panel.settings.values["model"])

    async def _grant(self) -> None:
        if self.bridge.client:
            await self.bridge.client.grant_preview()

    def _show_parameter_error(self, error: ParameterError) -> None:
        match error.field:
            case "prompt":
                self.prompt.complain(clean(f"{error.reason}. {error.remedy}".rstrip(" .")))
            case "negative_prompt":
                self._show_negative(True)
                self.negative.complain(clean(error.reason))
            case field:
                self.remove_class("-log")
                self._retitle()
                self.panel.show_field(field)
                self.panel.focus()
                self.run_view.status.note(clean(f"{self.panel.setting.label} {error.reason}"))

    # Actions -----------------------------------------------------------------------------------

    def action_generate(self) -> None:
        """Submit the prompt with the settings as they stand."""
        try:
            params = self.panel.settings.params(self.prompt.text, self.negative.text)
        except ParameterError as error:
            self._show_parameter_error(error)
            return
        self._request(self._submit(params))

    def action_stop(self) -> None:
        """Stop the running picture; with none running, leave the full preview."""
        if self.run_view.running:
            self._request(self._stop())
        elif self.has_class("-full"):
            self.action_full_preview()
        else:
            self.run_view.status.note("nothing runs")

    def action_new_seed(self) -> None:
        """Draw another seed."""
        self.panel.settings.new_seed()
        self.panel.refresh()

    def action_example(self) -> None:
        """Fill in a known prompt, another one than stands there."""
        known = [prompt for prompt in self._examples if prompt != self.prompt.text]
        if known:
            self._show_negative(False)
            self.prompt.replace_text(random.choice(known))
            self.prompt.focus()

    def action_full_preview(self) -> None:
        """Give the screen to the picture, or give it back."""
        self.toggle_class("-full")
        if not self.has_class("-full"):
            self.prompt.focus()

    def action_negative_prompt(self) -> None:
        """Go to the negative prompt, or back to the prompt."""
        self._show_negative(self.focused is not self.negative)

    def action_switch_pane(self) -> None:
        """Show the log in place of the settings, or the other way round, and go there."""
        self.show_side("log" if self.focused is self.panel or not self._log_shown() else "settings")

    def action_explanations(self) -> None:
        """Show or hide the sentence under each stage."""
        self.run_view.log.explanations = not self.run_view.log.explanations

    def action_output_folder(self) -> None:
        """Say where pictures are saved."""
        from sdtui.paths import images_dir

        folder = self.run_view.saved.parent if self.run_view.saved else images_dir()
        self.run_view.status.note(f"pictures are in {shown_path(folder)}")

    def action_copy_path(self) -> None:
        """Copy the path of the last picture through the terminal (OSC 52)."""
        if self.run_view.saved is None:
            self.run_view.status.note("no picture has been saved yet")
            return
        self.app.copy_to_clipboard(str(self.run_view.saved))
        self.run_view.status.note(f"copied {shown_path(self.run_view.saved)}")

    def action_show_side(self, side: str) -> None:
        """Show one of the two panes of the right side."""
        self.show_side(side)

    def action_show_prompt(self, which: str) -> None:
        """Show one of the two prompts."""
        self._show_negative(which == "negative")

    # Layout ------------------------------------------------------------------------------------

    def show_side(self, side: str) -> None:
        """Bring a pane to the front where only one has room, and focus it."""
        self.set_class(side == "log", "-log")
        self._retitle()
        target = self.run_view.log if side == "log" else self.panel
        self.call_after_refresh(target.focus)

    def _log_shown(self) -> bool:
        return self.has_class("-log")

    def _show_negative(self, shown: bool) -> None:
        self.set_class(shown, "-negative")
        self._retitle()
        self.call_after_refresh((self.negative if shown else self.prompt).focus)

    def on_resize(self) -> None:
        """The titles are tabs where two panes share a place."""
        self.call_after_refresh(self._retitle)

    def _retitle(self) -> None:
        wide = self.has_class("-wide")
        log = self._log_shown()
        sides = _tabs("show_side", {"settings": not log, "log": log})
        self.query_one("#settings").border_title = Content("settings") if wide else sides
        self.run_view.log.border_title = Content("what the model sees") if wide else sides
        negative = self.has_class("-negative")
        prompts = _tabs("show_prompt", {"prompt": not negative, "negative": negative})
        shared = not wide
        self.prompt.border_title = prompts if shared else Content("prompt")
        self.negative.border_title = prompts if shared else Content("negative prompt")


def _tabs(action: str, names: dict[str, bool]) -> Content:
    """A border title that switches between panes when clicked; the shown one is bright."""
    parts: list[Content | tuple[str, str]] = []
    for name, shown in names.items():
        style = Style.from_meta({"@click": f"screen.{action}({name!r})"})
        label = Content.styled(name, "$value" if shown else "$unit")
        parts += [label.stylize(style), ("  ", "")]
    return Content.assemble(*parts[:-1])
