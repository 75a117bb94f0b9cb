"""The history in a real terminal, on the real supervisor and its database."""

from __future__ import annotations

import asyncio
import sys

from sdtui.engine.client import EngineClient
from sdtui.params import GenerationParams
from sdtui.protocol.events import JobSaved
from tests.engine.conftest import StartEngine, start_fake_engine  # noqa: F401
from tests.engine.records import pictures
from tests.engine.watching import of_kind, until
from tests.terminal import Terminal


async def make(*prompts: str) -> None:
    """Have pictures made, the last one being the newest."""
    client = await EngineClient.connect(start=False)
    for seed, prompt in enumerate(prompts):
        await client.submit(
            GenerationParams(prompt=prompt, seed=seed, num_inference_steps=2, width=64, height=64)
        )
    saved = 0
    while saved < len(prompts):
        saved += len(of_kind(await until(client, JobSaved), JobSaved))
    await client.close()


def test_pictures_are_found_marked_made_again_and_deleted(
    start_fake_engine: StartEngine,  # noqa: F811
) -> None:
    start_fake_engine()
    asyncio.run(make("a red apple", "a blue fox", "a violin"))
    apple, fox, violin = pictures()
    with Terminal([sys.executable, "-m", "sdtui"], columns=120, lines=40) as terminal:
        terminal.wait_for("ready")
        terminal.send("\x1bOR")
        terminal.wait_for("3 pictures")
        terminal.wait_for("seed       2")
        # Textual hands a key to what has the focus when it comes, so each waits for the last.
        terminal.send("/")
        terminal.wait_for(lambda text: "┃" not in text)
        terminal.send("blu")
        terminal.wait_for("1 picture ")
        terminal.send("\r")
        terminal.wait_for("┃")
        terminal.send("f")
        terminal.wait_for("★ a blue fox")
        terminal.send("d")
        terminal.wait_for("delete this picture")
        assert fox.exists()
        terminal.send("y")
        terminal.wait_for("Nothing found")
        assert not fox.exists()
        terminal.send("/")
        terminal.watch(1)
        terminal.send("\x7f")
        terminal.wait_for(lambda text: "blu" not in text)
        terminal.send("\x1b")
        terminal.wait_for("2 pictures")
        terminal.wait_for("┃")
        violin.rename(violin.with_name("elsewhere.png"))
        terminal.send("r")
        terminal.wait_for("3 pictures")
        terminal.wait_for("file is gone")
        terminal.send("\x1b")
        terminal.wait_for("preview")
        terminal.send("\x11")
        assert terminal.wait_for_exit() == 0
    left = {path.name for path in pictures()}
    assert left == {apple.name, "elsewhere.png", "0002-a-violin-2.png"}
