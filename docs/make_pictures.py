"""Draw the pictures of the README: the real application on the real engine, exported as SVG.

    python docs/make_pictures.py [--prompt "a red apple"] [--seed 42] [--light]

The engine that it starts lives in a home of its own and ends with it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SIZE = (140, 40)
STEPS = 25
SHOWN_STEP = 20
"""Late enough for the picture to be there, early enough to show that it is being made."""
FONTS = '"DejaVu Sans Mono", Menlo, Consolas, "Liberation Mono", monospace'


def without_web_fonts(svg: str) -> str:
    """The picture with fonts that are at hand: a README must fetch nothing."""
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    return svg.replace("Fira Code, monospace", FONTS).replace(
        "<text ", '<text xml:space="preserve" '
    )


async def draw(prompt: str, seed: int, light: bool) -> str:
    """Generate `prompt`; the screen as SVG while step `SHOWN_STEP` is in view."""
    from sdtui.params import GenerationParams
    from sdtui.tui import cpu_share, frame_pace
    from sdtui.tui.app import SdtuiApp

    # Nothing is sent anywhere, so there is no terminal to spare, and every step is to be seen.
    frame_pace.UNANSWERED_FRAMES_PER_SECOND = 1_000
    cpu_share.SHARE, cpu_share.SHORTEST_WAIT_SECONDS = 1.0, 0.0
    start = GenerationParams(prompt=prompt, seed=seed, num_inference_steps=STEPS)
    app = SdtuiApp(start=start)
    async with app.run_test(size=SIZE) as pilot:
        while not app.main.is_filled:
            await pilot.pause(0.05)
        if light:
            app.action_toggle_theme()
        progress = app.main.run_view.progress
        while "model ready" not in progress.words:
            await pilot.pause(0.1)
        await pilot.press("enter")
        # What is painted counts: the preview's title is ahead of it.
        svg = ""
        while not _step_in_view(svg):
            if app.main.run_view.saved is not None:
                raise RuntimeError(f"step {SHOWN_STEP} never came into view")
            await pilot.pause(0.001)
            if _step_in_view(str(app.main.run_view.preview.border_title)):
                svg = without_web_fonts(app.export_screenshot(title="sdtui"))
        while app.main.bridge.running:
            await pilot.pause(0.1)
    return svg


def _step_in_view(text: str) -> bool:
    found = re.search(r"x0 at step (\d+)", text.replace("&#160;", " "))
    return bool(found) and int(found[1]) >= SHOWN_STEP


async def draw_alone(prompt: str, seed: int, light: bool) -> str:
    """`draw` with an engine of its own, which ends with it."""
    from sdtui.engine.client import stop_engine

    with tempfile.TemporaryDirectory(prefix="sdtui-") as home:
        os.environ["SDTUI_HOME"] = home
        try:
            return await draw(prompt, seed, light)
        finally:
            await stop_engine(force=True)


def main() -> None:
    """Draw one picture into this folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompt", default="a fox on a blue background")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--light", action="store_true")
    arguments = parser.parse_args()
    os.environ["TERM"], os.environ["COLORTERM"] = "xterm-256color", "truecolor"
    svg = asyncio.run(draw_alone(arguments.prompt, arguments.seed, arguments.light))
    name = "screen-light.svg" if arguments.light else "screen.svg"
    (ROOT / "docs" / name).write_text(svg, "utf-8")


if __name__ == "__main__":
    main()
