"""How the main screen is laid out: its widgets, its tabs, and what shares a place with what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.events import ScreenResume
from textual.style import Style
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static

from sdtui.tui.compositor import SparingCompositor
from sdtui.tui.punctual_paints import PunctualPaints
from sdtui.tui.screens.asking import AskingScreen
from sdtui.tui.widgets.key_bar import KeyBar
from sdtui.tui.widgets.parameter_panel import ParameterPanel
from sdtui.tui.widgets.prompt_input import PromptInput

if TYPE_CHECKING:
    from sdtui.params import GenerationParams
    from sdtui.tui.run_view import RunView

WIDTHS = [(0, "-small"), (72, "-medium"), (121, "-wide")]
HEIGHTS = [(0, "-short"), (24, "-normal"), (36, "-tall")]


class MainLayout(AskingScreen[None]):
    """Prompts above, settings, preview and log side by side, progress and keys below.

    Up to 120 columns, settings and log share the right side and the prompts one box: the class
    `-log` shows the log, `-negative` the negative prompt. `-full` leaves only the preview.

    The first paint shows what a person can use at once and the frames of the rest, which `fill`
    puts in when it is over: what tells of a run costs a third of the way to the first paint.
    """

    run_view: RunView
    """What tells of a run. It is there from `fill` on."""

    AUTO_FOCUS = "#prompt"
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS

    def __init__(self, start: GenerationParams | None) -> None:
        super().__init__()
        self._compositor = SparingCompositor()
        self._paints = PunctualPaints(self)
        self.prompt = PromptInput(
            start.prompt if start else "", placeholder="What to draw", id="prompt"
        )
        self.negative = PromptInput(
            start.negative_prompt if start else "", placeholder="What to avoid", id="negative"
        )
        self.panel = ParameterPanel(start, id="parameters")
        self.settings_pane = Vertical(self.panel, id="settings", classes="pane")
        self.preview_pane: Widget = Static(classes="pane preview")
        self.log_pane: Widget = Static(classes="pane log")
        self.progress_line = Static(classes="progress")
        self.is_filled = False

    @property
    def _update_timer(self) -> Timer:
        """What Textual resumes when something on this screen has changed."""
        return self._paints

    def compose(self) -> ComposeResult:
        """The widgets, top to bottom."""
        # The first resize would find these classes changed and style everything once more.
        width, height = self.app.size
        for extent, breakpoints in ((width, WIDTHS), (height, HEIGHTS)):
            name = max(entry for entry in breakpoints if entry[0] <= extent)[1]
            self.add_class(name, update=False)
        yield self.status
        with Horizontal(id="prompts"):
            yield self.prompt
            yield self.negative
        with Horizontal(id="panes"):
            yield self.settings_pane
            yield self.preview_pane
            yield self.log_pane
        yield self.progress_line
        yield KeyBar(id="keys")

    async def fill(self) -> None:
        """Put what tells of a run into its frames."""
        from sdtui.tui.run_view import RunView
        from sdtui.tui.widgets.curves import Curves
        from sdtui.tui.widgets.preview import Preview
        from sdtui.tui.widgets.step_progress import StepProgress
        from sdtui.tui.widgets.token_log import TokenLog

        view = RunView(
            Preview(id="preview", classes="pane preview"),
            TokenLog(id="log", classes="pane log"),
            Curves(id="curves"),
            StepProgress(id="progress"),
            self.status,
        )
        frames: dict[Widget, Widget] = {
            self.preview_pane: view.preview,
            self.log_pane: view.log,
            self.progress_line: view.progress,
        }
        with self.app.batch_update():
            await self.settings_pane.mount(view.curves)
            for frame, widget in frames.items():
                widget.border_title = frame.border_title
                home = frame.parent
                assert isinstance(home, Widget)
                await home.mount(widget, after=frame)
                await frame.remove()
        self.preview_pane, self.log_pane, self.run_view = view.preview, view.log, view
        self.is_filled = True

    def on_mount(self) -> None:
        """Begin with the cursor behind the text."""
        for prompt in (self.prompt, self.negative):
            prompt.move_cursor(prompt.document.end)
        self.preview_pane.border_title = Content("preview")
        self._retitle()

    def on_screen_resume(self, event: ScreenResume) -> None:
        """What comes with the first paint was styled as it came, and is not styled once more."""
        event.refresh_styles = event.refresh_styles and bool(self.outer_size)

    def on_resize(self) -> None:
        """The titles are tabs where two panes share a place."""
        self.call_after_refresh(self._retitle)

    def action_negative_prompt(self) -> None:
        """Go to the negative prompt, or back to the prompt."""
        self.show_negative(self.focused is not self.negative)

    def action_switch_pane(self) -> None:
        """Show the log in place of the settings, or the other way round, and go there."""
        to_log = self.focused is self.panel or not self.has_class("-log")
        self.show_side("log" if to_log else "settings")

    def action_show_side(self, side: str) -> None:
        """Show one of the two panes of the right side."""
        self.show_side(side)

    def action_show_prompt(self, which: str) -> None:
        """Show one of the two prompts."""
        self.show_negative(which == "negative")

    def show_side(self, side: str) -> None:
        """Bring a pane to the front where only one has room, and focus it.

        At once, so that the next key is for it, however soon it comes.
        """
        self.set_class(side == "log", "-log")
        self._retitle()
        self.set_focus(self.log_pane if side == "log" else self.panel)

    def show_negative(self, shown: bool) -> None:
        """Bring one of the prompts to the front where only one has room, and focus it."""
        self.set_class(shown, "-negative")
        self._retitle()
        self.set_focus(self.negative if shown else self.prompt)

    def _retitle(self) -> None:
        wide = self.has_class("-wide")
        log = self.has_class("-log")
        sides = _tabs("show_side", {"settings": not log, "log": log})
        self.settings_pane.border_title = Content("settings") if wide else sides
        self.log_pane.border_title = Content("what the model sees") if wide else sides
        negative = self.has_class("-negative")
        prompts = _tabs("show_prompt", {"prompt": not negative, "negative": negative})
        self.prompt.border_title = Content("prompt") if wide else prompts
        self.negative.border_title = Content("negative prompt") if wide else prompts


def _tabs(action: str, names: dict[str, bool]) -> Content:
    """A border title that switches between panes when clicked; the shown one is bright."""
    parts: list[Content | tuple[str, str]] = []
    for name, shown in names.items():
        style = Style.from_meta({"@click": f"screen.{action}({name!r})"})
        label = Content.styled(name, "$value" if shown else "$unit")
        parts += [label.stylize(style), ("  ", "")]
    return Content.assemble(*parts[:-1])
