"""The whole interface in a real xterm, drawing with the bundled model: the README's pictures.

With `SDTUI_PICTURES` the screenshots are written into that folder, as `make pictures` does.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sdtui.engine.client import EngineClient
from sdtui.params import GenerationParams
from tests.engine.processes import wait_for
from tests.engine.records import pictures, stored
from tests.terminals.x_screen import XScreen

pytestmark = pytest.mark.skipif(
    not (shutil.which("xterm") and shutil.which("Xvfb")), reason="needs xterm and Xvfb"
)

PARAMS = GenerationParams(
    prompt="an octopus on a blue background", seed=11, guidance_scale=4.0, num_inference_steps=25
)
WINDOW = ["-b", "0", "-bw", "0", "-geometry", "130x36+0+0", "-fa", "DejaVu Sans Mono", "-fs", "11"]
SIXEL = ["-ti", "vt340", "-xrm", "XTerm*numColorRegisters: 256"]
BLUE = (40, 90, 200)


async def submit() -> str:
    """A job asked for beside the interface, of whose end nobody but that is told; its id."""
    client = await EngineClient.connect(start=False)
    job_id = await client.submit(PARAMS)
    await client.close()
    return job_id


def colourful(screen: np.ndarray) -> np.ndarray:
    """The part of the screen in which there is more than greys and a little amber."""
    blue = screen[:, :, 2] - screen[:, :, 0] > 60
    rows, columns = (np.flatnonzero(blue.sum(axis=axis) > 20) for axis in (1, 0))
    if not rows.size or not columns.size:
        return screen
    return screen[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def distance(screen: np.ndarray, path: Path) -> float:
    """How far the picture on the screen is from the one in the file."""
    shown = Image.fromarray(colourful(screen).astype(np.uint8)).resize((128, 128))
    with Image.open(path) as picture:
        wanted = np.asarray(picture.convert("RGB")).astype(int)
    return float(np.abs(np.asarray(shown).astype(int) - wanted).mean())


@pytest.mark.usefixtures("real_engine")
@pytest.mark.parametrize(
    ("name", "options"), [("xterm-sixel", SIXEL), ("xterm-half-blocks", ["-ti", "vt220"])]
)
def test_the_interface_in_an_xterm_shows_what_was_drawn(
    tmp_path: Path, name: str, options: list[str]
) -> None:
    with XScreen(tmp_path, 1300, 760) as screen:
        program = ["-e", "env", "COLORTERM=truecolor", sys.executable, "-m", "sdtui"]
        screen.start(["xterm", *options, *WINDOW, *program])
        before = set(pictures())
        job_id = asyncio.run(submit())
        wait_for(lambda: stored(job_id).state == "saved", 120)
        (picture,) = set(pictures()) - before
        screen.wait_until(lambda shown: distance(shown, picture) < 12, "the picture")
        if folder := os.environ.get("SDTUI_PICTURES"):
            screen.wait_until_still()
            screen.save(Path(folder) / f"{name}.png")
