"""The history: past pictures, found again, made again, marked or thrown away."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import msgspec
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from sdtui.errors import EngineError
from sdtui.params import GenerationParams
from sdtui.protocol.events import JobSaved
from sdtui.protocol.gallery import PAGE_PICTURES, GalleryPicture
from sdtui.text import clean
from sdtui.tui.actions import bindings
from sdtui.tui.bridge import Client, EngineBridge
from sdtui.tui.history_actions import HISTORY_ACTIONS
from sdtui.tui.messages import EngineConnected, EngineLost, EventReceived
from sdtui.tui.run_view import shown_path
from sdtui.tui.screens.asking import WatchingScreen
from sdtui.tui.screens.main_layout import HEIGHTS, WIDTHS
from sdtui.tui.screens.question import Question
from sdtui.tui.stylesheets import styles_dir
from sdtui.tui.widgets.key_bar import KeyBar
from sdtui.tui.widgets.picture_details import PictureDetails
from sdtui.tui.widgets.picture_list import PictureList
from sdtui.tui.widgets.search_input import SearchInput

_SETTLING_SECONDS = 0.1
"""Words that are typed and a choice that moves on are followed once they rest this long."""

_LONGEST_PROMPT = 200
_NO_ENGINE = "The engine is not there"

_NOTHING_YET = (
    "No pictures yet",
    "Every picture that is made is kept here, newest first, with its prompt, its seed and all its "
    "settings: to look at, to search, to load them again, to make it once more.",
)
_NO_FAVOURITES = ("No favourites", "f marks the chosen picture as one; F shows all pictures.")
_NOTHING_FOUND = ("Nothing found", "No picture's prompt holds words that begin with all of these.")


class HistoryScreen(WatchingScreen[GenerationParams | None]):
    """A list of past pictures beside the chosen one in full.

    It ends with the parameters that the user wants back, or with None. How often to preview is no
    matter of a picture, so `preview_every` goes into what is made of one.
    """

    CSS_PATH = styles_dir() / "history.tcss"
    AUTO_FOCUS = "#pictures"
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS
    BINDINGS: ClassVar[list[BindingType]] = bindings("screen", HISTORY_ACTIONS)
    actions = HISTORY_ACTIONS

    def __init__(self, bridge: EngineBridge, preview_every: int) -> None:
        super().__init__(bridge)
        self._preview_every = preview_every
        self._favourites = False
        self._search_number = 0
        self.search = SearchInput(placeholder="Words of a prompt", id="search")
        self.pictures = PictureList(id="pictures")
        self.details = PictureDetails(id="details")
        self.empty = Static(id="empty")

    def compose(self) -> ComposeResult:
        """The widgets, top to bottom."""
        yield self.status
        yield self.search
        with Horizontal(id="panes"):
            yield self.pictures
            yield self.details
            yield self.empty
        yield KeyBar(HISTORY_ACTIONS, id="keys")

    def on_mount(self) -> None:
        """Ask for the newest pictures."""
        self.search.border_title = Content("search")
        self.details.border_title = Content("picture")
        self._find_anew(0)

    # What the engine says ----------------------------------------------------------------------

    @on(EventReceived)
    def _event_received(self, message: EventReceived) -> None:
        self.status.show(message.event)
        if isinstance(message.event, JobSaved):
            self._find_anew(self.pictures.selected, keep=self.pictures.selected > 0)

    @on(EngineConnected)
    def _engine_is_there(self, message: EngineConnected) -> None:
        if message.status is not None:
            self.status.show(message.status)
        self._find_anew(self.pictures.selected)

    @on(EngineLost)
    def _engine_is_gone(self) -> None:
        self.show_lost_engine("trying again")

    # Finding -----------------------------------------------------------------------------------

    def _find_anew(self, selected: int, keep: bool = False) -> None:
        """Search with the words as they stand, and choose the picture of index `selected`.

        With `keep`, the chosen picture stays chosen where it can be found near its former place.
        """
        self._search_number += 1
        chosen = self.pictures.picture if keep else None
        page = selected // PAGE_PICTURES
        self.ask(self._find(self._search_number, page, selected, chosen))

    @on(PictureList.PageWanted)
    def _page_wanted(self, message: PictureList.PageWanted) -> None:
        self.ask(self._find(self._search_number, message.page))

    async def _find(
        self,
        number: int,
        page: int,
        selected: int | None = None,
        keep: GalleryPicture | None = None,
    ) -> None:
        """Ask for a page. An answer that came too late for its search is dropped."""
        found = await self._client.search_gallery(
            self.search.value, favourites=self._favourites, offset=page * PAGE_PICTURES
        )
        if number != self._search_number:
            return
        if selected is not None or found.total != self.pictures.total:
            ids = [picture.job_id for picture in found.pictures]
            if keep is not None and keep.job_id in ids:
                selected = page * PAGE_PICTURES + ids.index(keep.job_id)
            chosen = self.pictures.selected if selected is None else selected
            self.pictures.reset(found.total, chosen)
            self._retitle(found.total)
        self.pictures.put(page, found.pictures)

    def _retitle(self, total: int) -> None:
        what = "favourites" if self._favourites else "pictures"
        if total == 1:
            what = what.removesuffix("s")
        self.pictures.border_title = Content(f"history · {total:,} {what}")
        self.empty.border_title = self.pictures.border_title
        words = self.search.value.strip()
        title, text = (
            _NOTHING_FOUND if words else _NO_FAVOURITES if self._favourites else _NOTHING_YET
        )
        self.empty.update(Content.assemble((title, "$value"), "\n\n", (text, "$label")))
        if self.has_class("-empty") != (not total) and not self.search.has_focus:
            # A list that is hidden has no focus, and Textual would give it to the search.
            self.set_focus(None)
            self.call_after_refresh(self._focus_pictures)
        self.set_class(not total, "-empty")

    def _focus_pictures(self) -> None:
        if self.pictures.total and not self.has_class("-full"):
            self.pictures.focus()

    @on(SearchInput.Changed)
    def _words_changed(self) -> None:
        self.when_settled("words", _SETTLING_SECONDS, lambda: self._find_anew(0))

    @on(SearchInput.Left)
    def _search_left(self) -> None:
        self.set_focus(None)
        self._focus_pictures()

    @on(PictureList.Chosen)
    def _picture_chosen(self) -> None:
        self.when_settled("details", _SETTLING_SECONDS, self._show_details)

    def _show_details(self) -> None:
        self.details.show(self.pictures.picture)

    def on_resize(self) -> None:
        """The larger picture fills what room there is."""
        self.call_after_refresh(self._show_details)

    # Requests ----------------------------------------------------------------------------------

    @property
    def _client(self) -> Client:
        if self.bridge.client is None:
            raise EngineError(_NO_ENGINE)
        return self.bridge.client

    async def _delete(self, picture: GalleryPicture) -> None:
        if not await self.app.push_screen_wait(_about_to_delete(picture)):
            return
        deleted = await self._client.delete_picture(picture.job_id)
        name = shown_path(Path(picture.path))
        kept = "its file had gone" if not picture.exists else "the file is another one, and stays"
        self.status.note(f"deleted {name}" if deleted.file_removed else f"forgotten; {kept}")
        self._find_anew(self.pictures.selected)

    async def _mark(self, picture: GalleryPicture) -> None:
        marked = await self._client.set_favourite(picture.job_id, not picture.favourite)
        if self._favourites:
            self._find_anew(self.pictures.selected)
        else:
            self.pictures.replace(msgspec.structs.replace(picture, favourite=marked.favourite))

    async def _make_again(self, picture: GalleryPicture) -> None:
        if not await self.bridge.submit(self._params(picture)):
            raise EngineError(_NO_ENGINE)
        self.status.note(f"asked for again: {clean(picture.params.prompt, limit=_LONGEST_PROMPT)}")

    def _params(self, picture: GalleryPicture) -> GenerationParams:
        return msgspec.structs.replace(picture.params, preview_every=self._preview_every)

    # Actions -----------------------------------------------------------------------------------

    @on(PictureList.Opened)
    def action_load(self) -> None:
        """Go back to the main screen with the parameters of the chosen picture."""
        if self.pictures.picture is not None:
            self.dismiss(self._params(self.pictures.picture))

    def action_make_again(self) -> None:
        """Queue the chosen picture's parameters as they are."""
        if self.pictures.picture is not None:
            self.ask(self._make_again(self.pictures.picture))

    def action_delete(self) -> None:
        """Delete the chosen picture, after a question."""
        if self.pictures.picture is not None:
            # The question is about the picture that is seen beside it.
            self._show_details()
            self.ask(self._delete(self.pictures.picture))

    def action_favourite(self) -> None:
        """Mark the chosen picture, or take the mark away."""
        if self.pictures.picture is not None:
            self.ask(self._mark(self.pictures.picture))

    def action_favourites_only(self) -> None:
        """Show favourites only, or all pictures again."""
        self._favourites = not self._favourites
        self._find_anew(0)

    def action_larger(self) -> None:
        """Give the screen to the chosen picture, or give it back."""
        self.toggle_class("-full")
        (self.details if self.has_class("-full") else self.pictures).focus()
        self.call_after_refresh(self._show_details)

    def action_choose(self, direction: int) -> None:
        """Choose a neighbour of the chosen picture."""
        self.pictures.action_choose(direction)

    def action_search(self) -> None:
        """Go to the search field."""
        self.remove_class("-full")
        self.set_focus(self.search)

    def action_copy_path(self) -> None:
        """Copy the path of the chosen picture through the terminal (OSC 52)."""
        if self.pictures.picture is not None:
            self.app.copy_to_clipboard(self.pictures.picture.path)
            self.status.note(f"copied {shown_path(Path(self.pictures.picture.path))}")

    def action_back(self) -> None:
        """Leave the large picture, or the history."""
        if self.has_class("-full"):
            self.action_larger()
        else:
            self.dismiss(None)


def _about_to_delete(picture: GalleryPicture) -> Question:
    prompt = clean(picture.params.prompt.strip(), limit=_LONGEST_PROMPT)
    path = shown_path(Path(picture.path))
    text = Content.assemble((prompt, "$value"), "\n", (path, "$label"))
    return Question("delete this picture and its file?", text, yes="delete it", no="keep it")
