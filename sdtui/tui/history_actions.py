"""What can be done on the history's screen, beside the actions of the whole application."""

from __future__ import annotations

from sdtui.tui.actions import Action

HISTORY_ACTIONS: tuple[Action, ...] = (
    Action(
        name="load",
        keys=("enter",),
        target="screen.load",
        help="Go back with the settings of the chosen picture",
        group="in the history",
        footer=1,
    ),
    Action(
        name="make again",
        keys=("r",),
        target="screen.make_again",
        help="Make the chosen picture once more, at once and just so",
        group="in the history",
        footer=5,
    ),
    Action(
        name="search",
        keys=("slash", "ctrl+f"),
        target="screen.search",
        help="Find pictures by the words of their prompts",
        group="in the history",
        footer=3,
    ),
    Action(
        name="larger",
        keys=("space", "f2"),
        target="screen.larger",
        help="Fill the screen with the picture and back; ← → go to others",
        group="in the history",
        footer=4,
    ),
    Action(
        name="favourite",
        keys=("f", "asterisk"),
        target="screen.favourite",
        help="Mark the chosen picture as a favourite, or not",
        group="in the history",
        footer=7,
    ),
    Action(
        name="favourites only",
        keys=("F",),
        target="screen.favourites_only",
        help="Show favourites only, or all pictures",
        group="in the history",
        footer=9,
    ),
    Action(
        name="delete",
        keys=("d", "delete"),
        target="screen.delete",
        help="Delete the chosen picture and its file, after a question",
        group="in the history",
        footer=6,
    ),
    Action(
        name="copy its path",
        keys=("y", "f8"),
        target="screen.copy_path",
        help="Copy the path of the chosen picture to the clipboard",
        group="in the history",
        footer=8,
    ),
    Action(
        name="queue",
        keys=("f5", "q"),
        target="screen.queue",
        help="Go on to what runs and waits",
        group="in the history",
        footer=10,
    ),
    Action(
        name="back",
        keys=("escape", "f3", "h"),
        target="screen.back",
        help="Go back to the main screen",
        group="in the history",
        footer=2,
    ),
)
