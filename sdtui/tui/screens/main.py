"""The main screen: what the user asks for goes to the engine, what it answers onto the widgets."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import BindingType

from sdtui.errors import ParameterError, SdtuiError
from sdtui.params import GenerationParams
from sdtui.text import clean
from sdtui.tui.actions import ACTIONS, bindings
from sdtui.tui.messages import (
    EngineConnected,
    EngineLost,
    EventReceived,
    FrameArrived,
    StepsCompleted,
)
from sdtui.tui.preview_actions import PREVIEW_ACTIONS
from sdtui.tui.screens.asking import WatchingScreen, refusal
from sdtui.tui.screens.full_preview import VIEW_ACTIONS
from sdtui.tui.screens.model_screen import ModelScreen
from sdtui.tui.widgets.parameter_panel import ParameterPanel
from sdtui.tui.widgets.prompt_input import PromptInput

if TYPE_CHECKING:
    from sdtui.protocol.events import EngineStatus
    from sdtui.tui.bridge import Connect
    from sdtui.tui.widgets.preview import Preview

_QUEUE_KEY = next(action.key for action in ACTIONS if action.name == "queue")
_OWN_ACTIONS = {action.target.removeprefix("screen.") for action in ACTIONS}
_SETTLING_SECONDS = 0.4
"""A value that is still being typed or tweaked is sent to the engine once it rests this long."""


class MainScreen(ModelScreen):
    """Asks the engine for what the prompts and settings say, and shows what it answers."""

    # The keys of the full preview come first, and count while it is there.
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("screen", PREVIEW_ACTIONS),
        *bindings("screen"),
    ]

    def __init__(
        self, connect: Connect | None = None, start: GenerationParams | None = None
    ) -> None:
        super().__init__(start)
        self._connect = connect
        self._awaiting_engine: list[tuple[GenerationParams, int]] = []
        self._pane_names_the_engine = False

    def on_mount(self) -> None:
        """Everything that the first paint does not need waits until it is over."""
        self.call_after_refresh(self._start)

    async def _start(self) -> None:
        # The wire and its messages take a while to import, and nothing has come over it yet.
        from sdtui.tui.bridge import EngineBridge, connect_to_engine

        self.bridge = EngineBridge(self, self._connect or connect_to_engine)
        await self.fill()
        if not gc.isenabled():
            # What is here now stays: every later look for garbage would delay a key by it.
            gc.freeze()
            gc.enable()
        self.run_view.preview.ask_terminal()
        self.run_worker(self.bridge.run(), group="engine")
        self._describe_model()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:
        """Keys wait for the rest of the screen, which follows the first paint."""
        if action in VIEW_ACTIONS:
            return self.is_full
        return self.is_filled or action not in _OWN_ACTIONS

    # What the engine says ----------------------------------------------------------------------

    @on(EventReceived)
    async def _show_event(self, message: EventReceived) -> None:
        from sdtui.protocol.events import JobStarted, ModelLoaded

        event = message.event
        self.run_view.show(event)
        if isinstance(event, JobStarted):
            await self._frame_is_answered()
            if self.is_untouched:
                self._adopt(event.params)
        elif isinstance(event, ModelLoaded):
            if self.is_untouched:
                self._adopt_model(event.model)
            if self.bridge.running is None:
                self._invite()
            else:
                self.run_view.preview.show_starting()

    @on(StepsCompleted)
    def _show_steps(self, message: StepsCompleted) -> None:
        for event in message.events:
            self.run_view.show(event)

    def _adopt(self, params: GenerationParams) -> None:
        """Show what a picture is made of, as an untouched screen does that finds it being made.

        The prompt is selected, so that whoever begins to type does not go on with it.
        """
        self.prompt.replace_text(params.prompt)
        self.prompt.select_all()
        self.negative.replace_text(params.negative_prompt)
        self.panel.settings.adopt(params)
        self.panel.refresh()
        self._describe_model()

    @on(FrameArrived)
    async def _show_frame(self) -> None:
        frame = self.bridge.take_frame()
        if frame is not None:
            self.run_view.preview.show(frame)
        else:
            await self._frame_is_answered()

    async def on_preview_frame_painted(self, event: Preview.FramePainted) -> None:
        """The terminal has the frame."""
        event.stop()
        await self._frame_is_answered()
        if not self.app.is_headless:
            self.status.show_link(self.run_view.preview.link_figures)

    async def _frame_is_answered(self) -> None:
        """Every preview is answered by one credit, be it painted, replaced or dropped.

        A credit is a few bytes, so this waits for nobody and needs no worker of its own.
        """
        await self.carry_out(self.bridge.grant_preview())

    @on(EngineConnected)
    def _engine_is_there(self, message: EngineConnected) -> None:
        status = message.status
        waiting, self._awaiting_engine = self._awaiting_engine, []
        if self._pane_names_the_engine:
            self._pane_names_the_engine = False
            self.run_view.preview.clear()
            self._invite()
        if status is not None:
            self.run_view.show(status)
        if waiting:
            self.ask(self._submit_all(waiting))
        elif status is not None:
            self._begin_with(status)

    def _begin_with(self, status: EngineStatus) -> None:
        """See to it that a model is there, and take the one that is: reading another takes long.

        A job that runs or is about to brings its own model, and an engine that loads one tells of
        it.
        """
        if status.model and self.is_untouched:
            self._adopt_model(status.model)
        elif not (status.model or status.state == "loading" or _has_jobs(status)):
            self._load_model()

    @on(EngineLost)
    def _engine_is_gone(self, message: EngineLost) -> None:
        is_at_work, preview = bool(self.run_view.unfinished), self.run_view.preview
        self.run_view.lose_engine(was_stopped=self.bridge.is_stopped)
        if message.error is not None:
            error = message.error
            self.status.note(lambda: "" if self.bridge.client else refusal(error))
            if not is_at_work and preview.frame is None:
                preview.show_failure(error.title, error.message, error.remedy)
                self._pane_names_the_engine = True

    # What the user changes ---------------------------------------------------------------------

    @on(PromptInput.Changed)
    def _prompt_changed(self) -> None:
        self._was_changed = True

    @on(ParameterPanel.Changed)
    def _setting_changed(self, message: ParameterPanel.Changed) -> None:
        self._was_changed = True
        self.status.look_at_note()
        match message.field:
            case "guidance_scale" if self.bridge.running:
                self.when_settled("guidance", _SETTLING_SECONDS, self._guidance_changed)
            case "model":
                self.when_settled("model", _SETTLING_SECONDS, self._model_chosen)

    @on(PromptInput.Submitted)
    async def _prompt_submitted(self) -> None:
        await self.run_action("screen.generate")

    def _guidance_changed(self) -> None:
        guidance = self.panel.settings.values["guidance_scale"]
        self.ask(self.bridge.adjust(guidance))

    # Requests ----------------------------------------------------------------------------------

    async def _submit_all(self, waiting: list[tuple[GenerationParams, int]]) -> None:
        for params, count in waiting:
            await self._submit(params, count)

    async def _submit(self, params: GenerationParams, count: int) -> None:
        try:
            was_sent = await self.bridge.submit(params, count)
        except ParameterError as error:
            self._show_parameter_error(error)
        except SdtuiError as error:
            self.run_view.preview.show_failure(error.title, error.message, error.remedy)
        else:
            if was_sent:
                self._tell_of_waiting()
            else:
                self._awaiting_engine.append((params, count))
                words = "starts as soon as the engine is there"
                self.status.note(lambda: words if self._awaiting_engine else "")

    def _tell_of_waiting(self) -> None:
        """What was asked for may have to wait, and nothing else on the screen says so."""
        if self._what_waits():
            self.status.note(self._what_waits)

    def _what_waits(self) -> str:
        status = self.bridge.client.status if self.bridge.client else None
        if status is None or not status.queued:
            return ""
        count = "1 waits" if status.queued == 1 else f"{status.queued} wait"
        what = f"{count}, paused" if status.paused else count
        return f"{what}: {_QUEUE_KEY} shows the queue"

    def _show_parameter_error(self, error: ParameterError) -> None:
        match error.field:
            case "prompt":
                self.show_negative(False)
                self.prompt.complain(clean(f"{error.reason}. {error.remedy}".rstrip(" .")))
            case "negative_prompt":
                self.show_negative(True)
                self.negative.complain(clean(error.reason))
            case field:
                self.panel.show_field(field)
                self.show_side("settings")
                words = f"{self.panel.setting.label} {error.reason}"
                settings = self.panel.settings
                value = settings.values.get(field)
                self.status.note(lambda: words if settings.holds(field, value) else "")

    # Actions -----------------------------------------------------------------------------------

    def action_generate(self) -> None:
        """Submit the prompt with the settings as they stand."""
        # An engine that was stopped starts also where the prompt or a setting is impossible.
        self.bridge.want_engine()
        try:
            params = self.panel.settings.params(self.prompt.text, self.negative.text)
        except ParameterError as error:
            self._show_parameter_error(error)
            return
        self.ask(self._submit(params, self.panel.settings.values["batch"]))

    def action_stop(self) -> None:
        """Stop the running picture, else the newest that waits."""
        if self.bridge.running or self.bridge.waiting:
            self.ask(self.bridge.stop())
        elif self._awaiting_engine:
            self._awaiting_engine.pop()
            left = len(self._awaiting_engine)
            self.status.note(f"{left} still asked for" if left else "nothing is asked for any more")
        else:
            self.status.note(
                lambda: "" if self.bridge.running or self.bridge.waiting else "nothing runs"
            )

    def action_new_seed(self) -> None:
        """Draw another seed."""
        self.panel.settings.new_seed()
        self.panel.refresh()

    def action_queue(self) -> None:
        """Show what runs and waits."""
        from sdtui.tui.screens.queue import QueueScreen

        if not isinstance(self.app.screen, QueueScreen):
            self._leave_the_screen_above()
            self.app.push_screen(QueueScreen(self.bridge))

    def action_history(self) -> None:
        """Show past pictures; one of them may bring its parameters back."""
        from sdtui.tui.screens.history import HistoryScreen

        if not isinstance(self.app.screen, HistoryScreen):
            self._leave_the_screen_above()
            preview_every = self.panel.settings.values["preview_every"]
            self.app.push_screen(HistoryScreen(self.bridge, preview_every), self._load_again)

    def _leave_the_screen_above(self) -> None:
        above = self.app.screen
        if isinstance(above, WatchingScreen):
            above.dismiss()

    def _load_again(self, params: GenerationParams | None) -> None:
        """Take over a past picture's parameters; the next picture has its seed too."""
        if params is not None:
            self._adopt(params)
            self.panel.settings.set("seed", params.seed)
            self.show_negative(False)

    def action_explanations(self) -> None:
        """Show or hide the sentence under each stage."""
        self.run_view.log.explanations = not self.run_view.log.explanations

    def action_side_by_side(self) -> None:
        """Show x_t beside x0, or not; it is made only while somebody looks."""
        viewer = self.run_view.preview.viewer
        viewer.make_double(not viewer.is_double)
        self.ask(self.bridge.show_latents(viewer.is_double))
        if self.run_view.preview.frame is None:
            words = "beside x0" if viewer.is_double else "no more"
            self.status.note(f"x_t is shown {words}")

    def action_next_renderer(self) -> None:
        """Show pictures in another of the ways that may work here."""
        self.status.note(f"pictures as {self.run_view.preview.next_renderer()}")

    def action_output_folder(self) -> None:
        """Say where pictures are saved."""
        from sdtui.paths import images_dir
        from sdtui.tui.run_view import shown_path

        folder = self.run_view.saved.parent if self.run_view.saved else images_dir()
        self.status.note(f"pictures are in {shown_path(folder)}")

    def action_copy_path(self) -> None:
        """Copy the path of the last picture through the terminal (OSC 52)."""
        if self.run_view.saved is None:
            self.status.note("no picture has been saved yet")
            return
        from sdtui.tui.run_view import shown_path

        self.app.copy_to_clipboard(str(self.run_view.saved))
        self.status.note(f"copied {shown_path(self.run_view.saved)}")


def _has_jobs(status: EngineStatus) -> bool:
    """Whether a job runs or is about to, which brings its own model."""
    return bool(status.running_job_id or (status.queued and not status.paused))
