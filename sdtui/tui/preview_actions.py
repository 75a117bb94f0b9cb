"""What can be done while the preview has the whole screen, beside the main screen's actions."""

from __future__ import annotations

from dataclasses import replace

from sdtui.tui.actions import ACTIONS, Action

PREVIEW_ACTIONS: tuple[Action, ...] = (
    Action(
        name="back",
        keys=("escape", "f2", "f"),
        target="screen.leave_full_preview",
        help="Give the screen back; a running picture goes on",
        group="in the full preview",
        footer=1,
    ),
    Action(
        name="zoom in",
        keys=("plus", "equals_sign"),
        target="screen.zoom(1)",
        help="Show a part of the picture larger",
        group="in the full preview",
        footer=2,
    ),
    Action(
        name="zoom out",
        keys=("minus", "underscore"),
        target="screen.zoom(-1)",
        help="Show more of the picture",
        group="in the full preview",
        footer=3,
    ),
    Action(
        name="whole",
        keys=("0",),
        target="screen.whole_picture",
        help="Fit all of the picture into the screen",
        group="in the full preview",
        footer=5,
    ),
    Action(
        name="exact pixels",
        keys=("1", "p"),
        target="screen.exact_pixels",
        help="Show each pixel as one of the terminal's, or fit them in",
        group="in the full preview",
        footer=4,
    ),
    Action(
        name="left",
        keys=("left",),
        target="screen.pan(-1, 0)",
        help="Move over a picture that is larger than the screen",
        group="in the full preview",
        footer=7,
    ),
    Action(
        name="right",
        keys=("right",),
        target="screen.pan(1, 0)",
        help="Move to the right",
        group="in the full preview",
        footer=8,
    ),
    Action(
        name="up",
        keys=("up",),
        target="screen.pan(0, -1)",
        help="Move up",
        group="in the full preview",
        footer=9,
    ),
    Action(
        name="down",
        keys=("down",),
        target="screen.pan(0, 1)",
        help="Move down",
        group="in the full preview",
        footer=10,
    ),
)

FULL_PREVIEW_KEYS = (
    *PREVIEW_ACTIONS,
    *(replace(action, footer=6) for action in ACTIONS if action.name == "x0 and x_t"),
)
"""What the footer of the full preview names."""
