"""The pixels of one picture, as many cells as it was given and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from textual.geometry import Region
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from sdtui.tui.renderers import Frame, Renderer

TOLERANCE = 8
"""Of 255: what an eye does not see from one frame to the next is not sent."""
_WAIT_SECONDS = 0.03
"""Between two parts of a picture that comes little by little."""
_HELD_SECONDS = 0.2
"""Between two looks whether the terminal has come as far as it should have, or nobody types."""
_IDLE_SECONDS = 1.0
_PATIENCE = 6
"""So many times as much may be sent at once while nobody types."""

Painted = Callable[[int, bool], object]
"""Is told that what was not on the screen before was just written to it.

It took about so many bytes, for changes or, if so, for the whole picture. This comes at every step,
and a message would go by every widget on its way.
"""


class PixelCanvas(Widget):
    """Paints its newest frame over its whole surface.

    The compositor paints the first frame, and again whatever something else has covered. While
    the picture is on the screen and nothing lies over it, only what differs is written, straight
    to the terminal. The canvas has neither border nor padding, so that its lines reach the
    compositor as they were encoded.
    """

    DEFAULT_CSS = """
    PixelCanvas { width: 0; height: 0; }
    """
    ALLOW_SELECT = False

    def __init__(
        self,
        make_renderer: Callable[[Widget], Renderer],
        painted: Painted = lambda size, whole: None,
        *,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._make_renderer = make_renderer
        self._tell_of_painting = painted
        self._renderer: Renderer | None = None
        self._frame: Frame | None = None
        self._painted: Frame | None = None
        self._drawn: tuple[Frame, int, int] | None = None
        self._tolerance = self._drawn_with = 0
        self._pause: Timer | None = None

    def on_mount(self) -> None:
        """Paint anew in another theme's colours, and what a terminal may have forgotten."""
        self.app.theme_changed_signal.subscribe(self, lambda _: self.change_renderer())
        self.app.app_resume_signal.subscribe(self, lambda _: self._send_again())

    def on_unmount(self) -> None:
        """Leave nothing behind in the terminal."""
        self._end_renderer()

    @property
    def frame(self) -> Frame | None:
        """The picture that is shown."""
        return self._frame

    @property
    def renderer(self) -> Renderer:
        """How the picture is shown."""
        if self._renderer is None:
            self._renderer = self._make_renderer(self)
        return self._renderer

    def change_renderer(self) -> None:
        """Ask for a renderer again, and paint with that one."""
        self._end_renderer()
        self.refresh()

    def _send_again(self) -> None:
        """Send what a terminal keeps of the picture besides its cells, if it is one that does."""
        if self._renderer is not None and self._renderer.end():
            self.change_renderer()

    def show(self, frame: Frame | None, columns: int, rows: int, *, exact: bool = True) -> None:
        """Paint `frame` in `columns` by `rows` cells; unless `exact`, where one sees the change."""
        self._frame = frame
        if frame is None:
            self._drawn = None
        self._tolerance = 0 if exact else TOLERANCE
        if self.styles.width is None or (columns, rows) != self._cells:
            self.styles.width = columns
            self.styles.height = rows
        self._go_on()

    def _go_on(self) -> None:
        """Bring the screen nearer to the frame, by as much as the terminal is to be sent now."""
        if self._pause is not None:
            self._pause.stop()
            self._pause = None
        if self._is_held:
            self._wait()
        elif self._frame is None or not self._write_changes(self._frame):
            if self._frame is not None and self._has_drawn_so_large:
                # The compositor paints all of it, and what lies over it may go at any time.
                self._draw(self._frame, inf)
            self.refresh()

    def _wait(self) -> None:
        if self._pause is None:
            is_little_by_little = not (self._is_held or self.renderer.is_scaled_by_terminal)
            seconds = _WAIT_SECONDS if is_little_by_little else _HELD_SECONDS
            self._pause = self.set_timer(seconds, self._go_on)

    def _wait_for_the_rest(self) -> None:
        """Go on soon, unless nothing is left to do before something else is painted."""
        is_covered = self._clear_view() is None
        if not (self.renderer.is_whole if is_covered else self.renderer.is_sent):
            self._wait()

    @property
    def _is_held(self) -> bool:
        """Whether nothing is to be drawn before the terminal has come further."""
        return getattr(self.app._driver, "is_held", False)

    @property
    def _most(self) -> float:
        """How many bytes may be written now without a key having to wait for them."""
        driver = self.app._driver
        most: float = getattr(driver, "allowance", inf)
        # A picture that the terminal scales comes in one piece, and no other follows at once.
        is_one_piece = self.renderer.is_scaled_by_terminal and not self._tolerance
        is_idle = getattr(driver, "idle_seconds", 0.0) > _IDLE_SECONDS
        return most * _PATIENCE if is_one_piece and is_idle else most

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines of `crop`."""
        columns, rows = self.size
        if self._frame is None or not columns or not rows:
            return [Strip.blank(crop.width, self.rich_style)] * crop.height
        if not self._has_drawn_so_large:
            self._draw(self._frame, self._most)
        # Else another frame is taken by `_go_on`: here, it would be painted in the crop alone.
        strips = list(self.renderer.strips()[crop.y : crop.bottom])
        if crop.column_span != (0, columns):
            strips = [strip.crop(*crop.column_span) for strip in strips]
        # Lines are rendered within the paint that writes them; what is called later comes after.
        self.call_later(self._complete)
        return strips

    @property
    def _has_drawn_so_large(self) -> bool:
        """Whether what was drawn last has the present size."""
        return self._drawn is not None and self._drawn[1:] == self.size

    def _draw(self, frame: Frame, most: float) -> bool:
        """Take the frame in, or more of it; whether there was anything to take."""
        drawn = (frame, *self.size)
        if drawn != self._drawn or self._tolerance != self._drawn_with:
            self._drawn, self._drawn_with = drawn, self._tolerance
        elif self.renderer.is_whole:
            return False
        self.renderer.draw(*self._drawn, self._tolerance, most)
        return True

    def _write_changes(self, frame: Frame) -> bool:
        """Bring the screen up to date past the compositor; false where only that one can."""
        place = self._clear_view()
        if place is None or self.app._batch_count or not self._has_drawn_so_large:
            return False
        changes: str | None = ""
        if self._draw(frame, self._most) or not self.renderer.is_sent:
            changes = self.renderer.changes(*place.offset, self._most)
        if changes is None:
            return False
        self._write(changes)
        self._tell(len(changes.encode()), whole=False)
        self._wait_for_the_rest()
        return True

    def _complete(self) -> None:
        """The compositor has painted the strips: add what they lack."""
        if self._drawn is None:
            return
        place = self._clear_view()
        overlay = ""
        # While it is held, the strips alone are as much as the terminal takes in at once.
        if place is not None and not self._is_held and not self.app._batch_count:
            overlay = self.renderer.overlay(*place.offset, self._most)
            self._write(overlay)
        self._wait_for_the_rest()
        if self._frame is not self._painted and self._frame == self._drawn[0]:
            lines = sum(_size(strip) for strip in self.renderer.strips())
            self._tell(lines + len(overlay.encode()), whole=True)

    def _tell(self, size: int, *, whole: bool) -> None:
        if self._frame is not self._painted:
            self._painted = self._frame
            self._tell_of_painting(size, whole)

    def _write(self, sequences: str) -> None:
        """Write in one piece, and leave the cursor where the compositor leaves it."""
        app = self.app
        if not sequences or app._driver is None:
            return
        column, row = app.cursor_position
        update = f"{sequences}\x1b[{row + 1};{column + 1}H"
        app._driver.write(f"\x1b[?2026h{update}\x1b[?2026l" if app._sync_available else update)

    def _clear_view(self) -> Region | None:
        """The canvas's place on the screen, if all of it is there and nothing lies over it."""
        app, screen = self.app, self.screen
        if app.screen is not screen or self.size != self._cells:
            return None
        place: Region | None = None
        covers: list[Region] = []
        # The foremost come first.
        for widget, (region, clip) in screen._compositor.visible_widgets.items():
            if widget is self:
                place = region if clip.contains_region(region) else None
                break
            covers.append(region.intersection(clip))
        if place is None or place.size != self.size:
            return None
        return None if any(cover.overlaps(place) for cover in covers) else place

    def _end_renderer(self) -> None:
        if self._renderer is not None:
            self._write(self._renderer.end())
        self._renderer = self._drawn = None

    @property
    def _cells(self) -> tuple[float, float]:
        width, height = self.styles.width, self.styles.height
        return (width.value if width else 0, height.value if height else 0)


def _size(strip: Strip) -> int:
    from sdtui.tui.renderers.pixel_strip import PixelStrip

    return strip.encoded_size if isinstance(strip, PixelStrip) else strip.cell_length
