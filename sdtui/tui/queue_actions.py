"""What can be done on the queue's screen, beside the actions of the whole application."""

from __future__ import annotations

from sdtui.tui.actions import Action

QUEUE_ACTIONS: tuple[Action, ...] = (
    Action(
        name="cancel",
        keys=("x", "delete"),
        target="screen.cancel_job",
        help="Stop the chosen job, be it running or waiting",
        group="in the queue",
        footer=1,
    ),
    Action(
        name="move up",
        keys=("u", "shift+up"),
        target="screen.move_up",
        help="Let the chosen job change places with the one before it",
        group="in the queue",
        footer=3,
    ),
    Action(
        name="pause or resume",
        keys=("p",),
        target="screen.pause",
        help="Hold the waiting jobs back, or let them go on",
        group="in the queue",
        footer=4,
    ),
    Action(
        name="queue again",
        keys=("r",),
        target="screen.requeue",
        help="Let a job that failed, was cancelled or is parked wait again",
        group="in the queue",
        footer=5,
    ),
    Action(
        name="clear",
        keys=("c",),
        target="screen.clear",
        help="Take all jobs off the list that failed or were cancelled",
        group="in the queue",
        footer=6,
    ),
    Action(
        name="clear this one",
        keys=("C",),
        target="screen.clear_this_one",
        help="Take the chosen job off the list, which may also be parked",
        group="in the queue",
        footer=7,
    ),
    Action(
        name="history",
        keys=("f3", "h"),
        target="screen.history",
        help="Go on to past pictures",
        group="in the queue",
        footer=8,
    ),
    Action(
        name="back",
        keys=("escape", "f5", "q"),
        target="screen.back",
        help="Go back to the main screen",
        group="in the queue",
        footer=2,
    ),
)
