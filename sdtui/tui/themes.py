"""The two themes of the house: one accent, dim labels, bright values."""

from __future__ import annotations

from textual.theme import Theme


def _theme(name: str, *, dark: bool, colours: dict[str, str]) -> Theme:
    accent, background = colours["accent"], colours["background"]
    return Theme(
        name=name,
        dark=dark,
        primary=accent,
        secondary=accent,
        accent=accent,
        warning=accent,
        error=colours["error"],
        success=colours["value"],
        foreground=colours["text"],
        background=background,
        surface=background,
        panel=colours["raised"],
        boost=colours["raised"],
        variables={
            "label": colours["label"],
            "value": colours["value"],
            "unit": colours["unit"],
            "edge": colours["edge"],
            "raised": colours["raised"],
            "accent-text": colours["accent"],
            "border": accent,
            "border-blurred": colours["edge"],
            "scrollbar": colours["edge"],
            "scrollbar-hover": colours["unit"],
            "scrollbar-active": accent,
            "scrollbar-background": background,
            "scrollbar-background-hover": background,
            "scrollbar-background-active": background,
            "scrollbar-corner-color": background,
            "input-cursor-background": colours["value"],
            "input-cursor-foreground": background,
            "input-cursor-text-style": "none",
            "input-selection-background": colours["selection"],
            "input-selection-foreground": colours["value"],
            "block-cursor-background": colours["raised"],
            "block-cursor-foreground": accent,
            "link-color": colours["text"],
            "link-background-hover": colours["raised"],
            "link-color-hover": accent,
            "link-style": "none",
            "link-style-hover": "none",
        },
    )


DARK = _theme(
    "sdtui-dark",
    dark=True,
    colours={
        "background": "#14161a",
        "raised": "#23262d",
        "edge": "#3b404a",
        "unit": "#757c89",
        "label": "#8d94a1",
        "text": "#c6cbd4",
        "value": "#f1f3f6",
        "selection": "#4a3a20",
        "accent": "#f0a94b",
        "error": "#ff7b72",
    },
)

LIGHT = _theme(
    "sdtui-light",
    dark=False,
    colours={
        "background": "#faf9f6",
        "raised": "#ece9e2",
        "edge": "#c9c5bb",
        "unit": "#77736b",
        "label": "#67635b",
        "text": "#35332f",
        "value": "#0f0e0c",
        "selection": "#f3dcb8",
        "accent": "#a85400",
        "error": "#b3261e",
    },
)
