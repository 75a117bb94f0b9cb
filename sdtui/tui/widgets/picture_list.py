"""The list of past pictures: any number of them, of which only those in view are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from sdtui.protocol.gallery import PAGE_PICTURES, GalleryPicture
from sdtui.tui.stills import cells, still, still_without_colour
from sdtui.tui.widgets.picture_row import THUMBNAIL_COLUMNS, THUMBNAIL_ROWS, RowPainter

ROW_LINES = THUMBNAIL_ROWS + 1
"""A row is as high as its thumbnail, and one line stays free below it."""

_KEPT = 300
"""How many drawn thumbnails and rows are kept; a screen shows ten or so."""


class PictureList(ScrollView, can_focus=True):
    """Rows of a thumbnail and four lines of text. Arrows choose one.

    It knows how many pictures there are and holds the pages that it was given; `PageWanted` asks
    for those that come into view.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "picture-list--prompt",
        "picture-list--figures",
        "picture-list--gone",
        "picture-list--selected",
        "picture-list--mark",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "choose(-1)", "Previous picture", show=False),
        Binding("down,j", "choose(1)", "Next picture", show=False),
        Binding("pageup", "choose_page(-1)", "A screen up", show=False),
        Binding("pagedown", "choose_page(1)", "A screen down", show=False),
        Binding("home", "choose_first", "Newest picture", show=False),
        Binding("end", "choose_last", "Oldest picture", show=False),
    ]
    ALLOW_SELECT = False

    selected: reactive[int] = reactive(0)
    """The index of the chosen picture; 0 is the newest."""

    @dataclass
    class PageWanted(Message):
        """Pictures from `page * PAGE_PICTURES` on are in view, and not there yet."""

        page: int

    @dataclass
    class Chosen(Message):
        """Another picture is the chosen one, or the chosen one came to be known or changed."""

    @dataclass
    class Opened(Message):
        """The chosen picture was double-clicked."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.total = 0
        self._pages: dict[int, list[GalleryPicture]] = {}
        self._asked: set[int] = set()
        self._thumbnails: LRUCache[tuple[object, ...], list[Strip]] = LRUCache(_KEPT)
        self._rows: LRUCache[tuple[object, ...], list[Strip]] = LRUCache(_KEPT)

    @property
    def picture(self) -> GalleryPicture | None:
        """The chosen picture, as soon as it is known."""
        return self._at(self.selected)

    def reset(self, total: int, selected: int) -> None:
        """Show `total` pictures anew, none of which is known yet."""
        self.total = total
        self._pages.clear()
        self._asked.clear()
        self._measure()
        self.set_reactive(PictureList.selected, max(0, min(selected, total - 1)))

    def put(self, page: int, pictures: list[GalleryPicture]) -> None:
        """Take a page in."""
        self._pages[page] = pictures
        self._show_selected()
        if page == self.selected // PAGE_PICTURES:
            self.post_message(self.Chosen())
        self.refresh()

    def replace(self, picture: GalleryPicture) -> None:
        """Something about a picture changed."""
        for page in self._pages.values():
            for place, known in enumerate(page):
                if known.job_id == picture.job_id:
                    page[place] = picture
        self.post_message(self.Chosen())
        self.refresh()

    def _at(self, index: int) -> GalleryPicture | None:
        page, place = divmod(index, PAGE_PICTURES)
        pictures = self._pages.get(page, [])
        return pictures[place] if place < len(pictures) else None

    # Choosing ----------------------------------------------------------------------------------

    def action_choose(self, direction: int) -> None:
        """Choose another picture, so many further down."""
        self.selected += direction

    def action_choose_page(self, direction: int) -> None:
        """Choose a picture a screen further down or up."""
        self.selected += direction * max(self.size.height // ROW_LINES, 1)

    def action_choose_first(self) -> None:
        """Choose the newest picture."""
        self.selected = 0

    def action_choose_last(self) -> None:
        """Choose the oldest picture."""
        self.selected = self.total - 1

    def validate_selected(self, selected: int) -> int:
        """There is nothing to choose before the first and behind the last."""
        return max(0, min(selected, self.total - 1))

    def watch_selected(self) -> None:
        """Bring the chosen picture into view."""
        self._show_selected()
        self.post_message(self.Chosen())
        self.refresh()

    async def on_click(self, event: events.Click) -> None:
        """Choose what was clicked; a second click opens it."""
        inside = event.get_content_offset(self)
        if inside is None:
            return
        index = (inside.y + self.scroll_offset.y) // ROW_LINES
        if index < self.total:
            self.selected = index
            if event.chain == 2:
                self.post_message(self.Opened())

    def _show_selected(self) -> None:
        top = self.selected * ROW_LINES
        height = self.size.height
        if top < self.scroll_offset.y:
            self.scroll_to(y=top, animate=False)
        elif top + THUMBNAIL_ROWS > self.scroll_offset.y + height:
            self.scroll_to(y=top + THUMBNAIL_ROWS - height, animate=False)
        self._want_pages()

    def _want_pages(self) -> None:
        first = self.scroll_offset.y // ROW_LINES
        last = min((self.scroll_offset.y + self.size.height) // ROW_LINES, self.total - 1)
        for page in {first // PAGE_PICTURES, last // PAGE_PICTURES, self.selected // PAGE_PICTURES}:
            in_range = 0 <= page * PAGE_PICTURES < self.total
            if in_range and page not in self._pages and page not in self._asked:
                self._asked.add(page)
                self.post_message(self.PageWanted(page))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """What scrolls into view is asked for."""
        super().watch_scroll_y(old_value, new_value)
        self._want_pages()

    def on_resize(self) -> None:
        """Rows are as wide as the list."""
        self._measure()
        self._show_selected()

    def _measure(self) -> None:
        width = self.scrollable_content_region.width
        self.virtual_size = Size(width, max(self.total * ROW_LINES - 1, 0))

    def on_focus(self) -> None:
        """The chosen row is marked in another way while keys go here."""
        self.refresh()

    def on_blur(self) -> None:
        """As `on_focus`."""
        self.refresh()

    # Drawing -----------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """One line of the row that stands there."""
        index, line = divmod(y + self.scroll_offset.y, ROW_LINES)
        width = self.size.width
        if index >= self.total or line == THUMBNAIL_ROWS:
            return Strip.blank(width, self.rich_style)
        return self._row(index)[line]

    def _row(self, index: int) -> list[Strip]:
        picture = self._at(index)
        chosen = index == self.selected
        key = (
            picture and (picture.job_id, picture.favourite, picture.exists),
            picture is None and index // PAGE_PICTURES in self._pages,
            chosen,
            self.has_focus,
            self.size.width,
            self.app.theme,
        )
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = self._draw(picture, index, chosen)
        return row

    def _draw(self, picture: GalleryPicture | None, index: int, chosen: bool) -> list[Strip]:
        ground = self.rich_style + (self._style("selected") if chosen else Style.null())
        mark = ground + self._style("mark") if self.has_focus else ground
        sign = ("┃" if self.has_focus else "│") if chosen else " "
        painter = RowPainter(
            width=self.size.width,
            ground=ground,
            prompt=ground + self._style("prompt"),
            figures=ground + self._style("figures"),
            gone=ground + self._style("gone"),
            sign=Segment(sign, mark),
        )
        if picture is not None:
            return painter.row(picture, self._thumbnail(picture, ground))
        is_here = index // PAGE_PICTURES in self._pages
        return painter.empty_row("made by another version of sdtui" if is_here else "…")

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"picture-list--{name}", partial=True)

    def _thumbnail(self, picture: GalleryPicture, ground: Style) -> list[Strip]:
        dark = self.app.current_theme.dark
        without_colour = (ground, dark) if self.app.no_color else None
        key = (picture.job_id, without_colour)
        strips = self._thumbnails.get(key)
        if strips is None:
            png = picture.thumbnail
            size = cells(png, THUMBNAIL_COLUMNS, THUMBNAIL_ROWS)
            if without_colour:
                strips = still_without_colour(png, *size, ground, dark=dark)
            else:
                strips = still(png, *size)
            self._thumbnails[key] = strips
        return strips
