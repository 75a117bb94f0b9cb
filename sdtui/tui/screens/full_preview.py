"""The preview with the whole screen to itself: zoom, pan, and the picture's own pixels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sdtui.tui.actions import ACTIONS, Action
from sdtui.tui.preview_actions import FULL_PREVIEW_KEYS, PREVIEW_ACTIONS
from sdtui.tui.screens.main_layout import MainLayout
from sdtui.tui.widgets.key_bar import KeyBar

if TYPE_CHECKING:
    from sdtui.tui.view import View

VIEW_ACTIONS = {
    action.target.removeprefix("screen.").partition("(")[0] for action in PREVIEW_ACTIONS
}
"""They mean nothing while the preview shares the screen."""


class FullPreview(MainLayout):
    """The main screen's layout with the class `-full` on it, which leaves only the preview.

    How the picture is seen there is kept for the next picture, and for the next time.
    """

    @property
    def is_full(self) -> bool:
        """Whether the preview has the screen to itself."""
        return self.has_class("-full")

    @property
    def actions(self) -> tuple[Action, ...]:
        """What can be done here beside the actions of the whole application."""
        return PREVIEW_ACTIONS if self.is_full else ()

    def action_full_preview(self) -> None:
        """Give the screen to the picture, or give it back."""
        is_full = not self.is_full
        self.set_class(is_full, "-full")
        self.query_one(KeyBar).show(FULL_PREVIEW_KEYS if is_full else ACTIONS)
        preview = self.run_view.preview
        preview.viewer.make_full(is_full)
        # A screen without a focus would give it to the prompt, which then took the keys unseen.
        preview.can_focus = is_full
        if is_full:
            self.set_focus(preview)
        else:
            self.show_negative(self.has_class("-negative"))

    def action_leave_full_preview(self) -> None:
        """Give the screen back."""
        if self.is_full:
            self.action_full_preview()

    def show_side(self, side: str) -> None:
        """Bring a pane to the front, for which the preview gives the screen back."""
        self.action_leave_full_preview()
        super().show_side(side)

    def show_negative(self, shown: bool) -> None:
        """Bring one of the prompts to the front, for which the preview gives the screen back."""
        self.action_leave_full_preview()
        super().show_negative(shown)

    def action_zoom(self, steps: int) -> None:
        """Come nearer, or go further away."""
        self._look(self._view.zoomed(steps))

    def action_whole_picture(self) -> None:
        """Fit the picture in."""
        from sdtui.tui.view import FITTED

        self._look(FITTED)

    def action_exact_pixels(self) -> None:
        """Show the picture's pixels as they are, or fit it in; around the same place."""
        self._look(replace(self._view, exact=not self._view.exact, zoom=1))

    def action_pan(self, right: int, down: int) -> None:
        """Move over the picture."""
        self.run_view.preview.viewer.pan(right, down)

    @property
    def _view(self) -> View:
        return self.run_view.preview.viewer.view

    def _look(self, view: View) -> None:
        self.run_view.preview.viewer.look(view)
