"""The registry of actions: one row feeds the bindings, the footer, the palette and the help."""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding, BindingType

_KEY_NAMES = {
    "enter": "⏎",
    "escape": "esc",
    "question_mark": "?",
    "colon": ":",
    "tab": "⇥",
    "delete": "del",
    "shift+up": "⇧↑",
    "slash": "/",
    "asterisk": "*",
    "plus": "+",
    "equals_sign": "=",
    "minus": "−",
    "underscore": "_",
    "left": "←",
    "right": "→",
    "up": "↑",
    "down": "↓",
}


@dataclass(frozen=True, kw_only=True)
class Action:
    """Something that the user can do.

    `target` is what Textual runs. The first of `keys` stands in the footer; single letters work
    wherever no text is being typed, so that every action has a way that no terminal steals.
    A `footer` of 0 keeps the action out of the footer; lower numbers stay longer when it is narrow.
    What `is_everywhere` comes before all that a widget does with its keys, on modal screens too.
    """

    name: str
    keys: tuple[str, ...]
    target: str
    help: str
    group: str
    footer: int = 0
    is_everywhere: bool = False

    @property
    def key(self) -> str:
        """The first key as it is shown."""
        return key_name(self.keys[0])


def key_name(key: str) -> str:
    """How a key is written on the screen: `^r`, `F2`, `esc`, `g`."""
    if key in _KEY_NAMES:
        return _KEY_NAMES[key]
    if key.startswith("ctrl+"):
        return f"^{key.removeprefix('ctrl+')}"
    return key.upper() if key[0] == "f" and key[1:].isdigit() else key


ACTIONS: tuple[Action, ...] = (
    Action(
        name="generate",
        keys=("enter", "ctrl+g", "g"),
        target="screen.generate",
        help="Make a picture of the prompt with these settings",
        group="picture",
        footer=1,
    ),
    Action(
        name="stop",
        keys=("escape", "x"),
        target="screen.stop",
        help="Stop the running picture before its next step",
        group="picture",
        footer=2,
    ),
    Action(
        name="new seed",
        keys=("ctrl+r", "r"),
        target="screen.new_seed",
        help="Draw another seed for the next picture",
        group="picture",
        footer=5,
    ),
    Action(
        name="try an example",
        keys=("ctrl+t", "t"),
        target="screen.example",
        help="Fill in a prompt that the model can draw",
        group="picture",
        footer=8,
    ),
    Action(
        name="negative prompt",
        keys=("ctrl+n", "n"),
        target="screen.negative_prompt",
        help="Go to the negative prompt and back",
        group="view",
        footer=7,
    ),
    Action(
        name="settings or log",
        keys=("ctrl+l", "l"),
        target="screen.switch_pane",
        help="Switch between the settings and the log",
        group="view",
        footer=4,
    ),
    Action(
        name="full preview",
        keys=("f2", "f"),
        target="screen.full_preview",
        help="Give the whole screen to the picture and back",
        group="view",
        footer=6,
    ),
    Action(
        name="x0 and x_t",
        keys=("f6", "s"),
        target="screen.side_by_side",
        help="Show the noisy latents beside the picture seen in them",
        group="view",
        footer=13,
    ),
    Action(
        name="renderer",
        keys=("f12", "b"),
        target="screen.next_renderer",
        help="Show pictures in another way: finer blocks, pixels, characters",
        group="view",
    ),
    Action(
        name="history",
        keys=("f3", "h"),
        target="screen.history",
        help="Show past pictures: search, load, make again, mark, delete",
        group="view",
        footer=6,
    ),
    Action(
        name="queue",
        keys=("f5", "q"),
        target="screen.queue",
        help="Show what runs and waits, and change it",
        group="view",
        footer=6,
    ),
    Action(
        name="explanations",
        keys=("f4", "e"),
        target="screen.explanations",
        help="Show or hide the sentence that explains each stage of the log",
        group="view",
        footer=10,
    ),
    Action(
        name="dark or light",
        keys=("f9", "d"),
        target="app.toggle_theme",
        help="Switch between the dark and the light theme",
        group="view",
    ),
    Action(
        name="output folder",
        keys=("ctrl+o", "o"),
        target="screen.output_folder",
        help="Show in the status line where pictures are saved",
        group="files",
    ),
    Action(
        name="copy path",
        keys=("f8", "y"),
        target="screen.copy_path",
        help="Copy the path of the last saved picture to the clipboard",
        group="files",
        footer=11,
    ),
    Action(
        name="commands",
        keys=("ctrl+p", "colon"),
        target="app.command_palette",
        help="Find any action by its name",
        group="sdtui",
        footer=9,
    ),
    Action(
        name="help",
        keys=("f1", "question_mark"),
        target="app.help",
        help="Show the keys and what the parts of the screen are for",
        group="sdtui",
        footer=3,
    ),
    Action(
        name="suspend",
        keys=("ctrl+z",),
        target="app.suspend_process",
        help="Back to the shell, whose fg brings sdtui back",
        group="sdtui",
        is_everywhere=True,
    ),
    Action(
        name="quit",
        keys=("ctrl+q",),
        target="app.quit",
        help="Leave; a running picture goes on in the engine",
        group="sdtui",
        footer=12,
        is_everywhere=True,
    ),
)


def bindings(scope: str, actions: tuple[Action, ...] = ACTIONS) -> list[BindingType]:
    """The bindings of the actions whose target belongs to `scope` ("app" or "screen")."""
    return [
        Binding(
            ",".join(action.keys),
            action.target,
            action.name,
            show=False,
            priority=action.is_everywhere,
        )
        for action in actions
        if action.target.startswith(f"{scope}.")
    ]
