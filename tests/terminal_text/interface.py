"""The interface on a fake engine, with one text on every surface after another.

`python interface.py TEXTS`: a file with a list of texts as JSON. They come as prompts, pastes,
names, paths and errors; each surface's text begins with the surface's name.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from textual import events
from textual.pilot import Pilot
from textual.widget import Widget

from sdtui.errors import EngineError
from sdtui.params import GenerationParams
from sdtui.protocol.events import (
    ComponentLoaded,
    ComponentLoading,
    DenoisingStarted,
    DownloadProgressed,
    Event,
    JobFailed,
    JobSaved,
    JobStarted,
    LatentsDrawn,
    ModelFailed,
    ModelLoaded,
    PromptEncoded,
    PromptTokenized,
    QueueChanged,
    SavingDelayed,
    Token,
    TokenizedText,
)
from sdtui.protocol.gallery import GalleryPicture
from sdtui.tui import pace
from sdtui.tui.actions import ACTIONS
from sdtui.tui.app import SdtuiApp
from tests.tui.fake_engine import FakeEngineClient, idle_status, listed, past_pictures
from tests.tui.stage import Stage, press

QUEUE_KEY, HISTORY_KEY = (
    action.keys[0] for name in ("queue", "history") for action in ACTIONS if action.name == name
)
_BEAT = 0.15
"""Seconds; the log is written more often, at the figures a second that `main` sets."""


class RefusingEngine(FakeEngineClient):
    """Refuses every generation with the text at hand."""

    text = ""

    async def submit_batch(
        self, params: GenerationParams, count: int, *, device: str = "auto", dtype: str = "auto"
    ) -> list[str]:
        """Refuse."""
        raise EngineError(f"refused {self.text}", f"because {self.text}", f"instead {self.text}")


def fetching(text: str) -> list[Event]:
    """A model on its way."""
    return [
        idle_status(state=f"state {text}", model=f"name {text}", device=text, dtype=text),
        DownloadProgressed(model=text, file=f"file {text}", received=1, total=2),
    ]


def loading(text: str) -> list[Event]:
    """A model whose files are there."""
    return [ComponentLoading(model=text, component=f"part {text}", index=0, count=1)]


def loaded(text: str) -> list[Event]:
    """A model that is there, and one that is not."""
    part = {"parameters": 1, "size": 1, "seconds": 1.0}
    return [
        ComponentLoaded(
            model=text, component=f"part {text}", index=0, count=1, class_name=text, **part
        ),
        ModelLoaded(
            model=f"loaded {text}", device=text, device_name=text, dtype=text, memory=1, **part
        ),
        ModelFailed(model=text, title=f"missing {text}", message=text, remedy=text),
    ]


def drawing(text: str) -> list[Event]:
    """A job from its beginning to its loop."""
    params = GenerationParams(prompt=f"prompted {text}", negative_prompt=text, model=f"m {text}")
    tokens = TokenizedText(
        text=text, tokens=[Token(1, f"token {text}")], padding=1, pad_token_id=0, cut=f"cut {text}"
    )
    shape = (1, 77, 8)
    return [
        JobStarted(job_id="1", params=params),
        PromptTokenized(
            job_id="1", sequence_length=77, vocabulary=9, prompt=tokens, negative_prompt=tokens
        ),
        PromptEncoded(
            job_id="1",
            shape=shape,
            guided_shape=shape,
            dtype=f"embedded {text}",
            norm=1.0,
            negative_norm=1.0,
            seconds=1.0,
        ),
        LatentsDrawn(
            job_id="1",
            seed=1,
            shape=(1, 4, 8, 8),
            dtype=text,
            mean=0.0,
            std=1.0,
            init_noise_sigma=1.0,
            device=f"drawn {text}",
            memory=1,
        ),
        DenoisingStarted(
            job_id="1",
            scheduler=f"scheduled {text}",
            prediction_type=f"predicted {text}",
            guidance_scale=7.5,
            timesteps=[1.0],
            sigmas=[1.0],
        ),
    ]


def ending(text: str) -> list[Event]:
    """Three ways in which a job ends."""
    return [
        SavingDelayed(job_id="1", title=f"delayed {text}", message=text, remedy=text),
        JobSaved(job_id="1", path=f"/saved {text}.png", size=1, seconds=1.0),
        JobFailed(job_id="1", title=f"failed {text}", message=f"why {text}", remedy=f"do {text}"),
    ]


def queued(text: str) -> QueueChanged:
    """A queue with a job that failed."""
    params = GenerationParams(prompt=f"listed {text}", model=f"model {text}")
    why = {"title": f"ended {text}", "message": text, "remedy": text}
    return QueueChanged(paused=True, jobs=[listed("2", params, "failed", **why)])


def past(text: str) -> GalleryPicture:
    """A picture of the history."""
    params = GenerationParams(prompt=f"past {text}", negative_prompt=text, model=f"by {text}")
    changes = {"params": params, "path": f"/kept {text}"}
    return past_pictures(1, job_id=text, **changes)[0]


async def paste(pilot: Pilot[None], where: Widget | None, text: str) -> None:
    """Paste as a terminal does: it tells the application."""
    assert where is not None
    where.focus()
    await pilot.pause()
    pilot.app.post_message(events.Paste(text))
    await pilot.pause()


async def show_everywhere(pilot: Pilot[None], engine: RefusingEngine, text: str) -> None:
    """Every surface of the main screen, the palette among them, with one text."""
    main = pilot.app.screen
    assert isinstance(pilot.app, SdtuiApp)
    engine.text = text
    for stage in (fetching, loading, loaded, drawing, ending):
        engine.tell(*stage(text))
        await pilot.pause(_BEAT)
    for prompt in (pilot.app.main.prompt, pilot.app.main.negative):
        prompt.clear()
        await paste(pilot, prompt, f"pasted {text}")
    pilot.app.main.panel.show_field("model")
    await paste(pilot, pilot.app.main.panel, f"typed {text}")
    await press(pilot, "ctrl+g", "ctrl+o", "f8")
    await pilot.pause(_BEAT)
    await press(pilot, "escape", "ctrl+p")
    await pilot.pause()
    await paste(pilot, pilot.app.focused, f"sought {text}")
    await pilot.pause(_BEAT)
    await press(pilot, "escape")
    assert pilot.app.screen is main
    engine.tell(queued(text))
    pilot.app.main.run_view.log.focus()
    await press(pilot, QUEUE_KEY)
    await pilot.pause(_BEAT)
    await press(pilot, "escape")
    assert pilot.app.screen is main


def main() -> int:
    """Show all texts and leave."""
    pace.FIGURES_PER_SECOND = 20
    texts = json.loads(Path(sys.argv[1]).read_text())
    engine = RefusingEngine(pictures=[past(text) for text in texts])

    async def connect() -> FakeEngineClient:
        return engine

    async def drive(pilot: Pilot[None]) -> None:
        await Stage(app, engine, pilot).until_shown("It can draw, for example")
        for text in texts:
            await show_everywhere(pilot, engine, text)
        app.main.panel.update("model", "folder")
        app.main.panel.focus()
        for _ in texts:
            await press(pilot, "right")
        await pilot.pause(_BEAT)
        for _ in texts:
            await press(pilot, "ctrl+t")
        await press(pilot, HISTORY_KEY)
        for _ in texts:
            await pilot.pause(_BEAT)
            await press(pilot, "delete")
            await pilot.pause(_BEAT)
            await press(pilot, "escape", "down")
        await paste(pilot, pilot.app.screen.query_one("#search"), f"searched {' '.join(texts)}")
        await press(pilot, "escape", "escape", "f1")
        await pilot.pause(_BEAT)
        pilot.app.exit()

    app = SdtuiApp(connect, GenerationParams(prompt="a red apple", model="folder"))
    app.run(auto_pilot=drive)
    return app.return_code or 0


if __name__ == "__main__":
    sys.exit(main())
