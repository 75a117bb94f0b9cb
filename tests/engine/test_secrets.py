"""A token goes to the hub and nowhere else; and nobody can call the engine from outside."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sdtui import paths
from sdtui.engine import launch
from sdtui.engine.client import EngineClient, stop_engine
from sdtui.params import GenerationParams
from sdtui.protocol.codec import encode
from sdtui.protocol.events import JobFailed, JobSaved
from tests.diffusion.stand_in_hub import StandInHub, serve
from tests.engine.records import pictures
from tests.engine.watching import of_kind, until

CANARY = "canary-of-no-known-shape"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, sdtui_home: Path) -> Iterator[StandInHub]:
    """A hub that sends the token back which it is sent, and an engine that asks it."""
    with serve("someone/pocket", {}) as hub:
        hub.forbidding = True
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        monkeypatch.setenv("HF_HOME", str(sdtui_home / "hub"))
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        monkeypatch.setenv("HF_TOKEN", CANARY)
        yield hub
        asyncio.run(stop_engine(force=True))


async def test_a_token_is_sent_to_the_hub_and_stands_nowhere_else(hub: StandInHub) -> None:
    client = await EngineClient.connect()
    engine = psutil.Process(client.status.pid)
    seen = b""
    for model in ("pocket", "someone/pocket"):
        params = GenerationParams(
            prompt="a red apple", model=model, num_inference_steps=1, width=64, height=64
        )
        await client.submit(params)
        events = await until(client, JobSaved, JobFailed)
        seen += b"".join(encode(event) for event in events)
    (failed,) = of_kind(events, JobFailed)
    assert f"Bearer {CANARY}" in hub.authorizations
    assert "not with Bearer" in failed.message, "the hub's answer is shown"

    processes = [engine, *engine.children(recursive=True)]
    assert len(processes) == 2
    arguments = "\n".join(word for process in processes for word in process.cmdline())
    assert CANARY not in arguments
    assert not [
        connection
        for process in processes
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    await client.close()
    await stop_engine(force=True)

    assert CANARY.encode() not in seen
    assert pictures()
    left = [path for path in paths.data_dir().parent.rglob("*") if path.is_file()]
    assert {launch.log_path(), paths.data_dir() / "history.sqlite3", *pictures()} <= set(left)
    for path in left:
        assert CANARY.encode() not in path.read_bytes(), path
    assert os.environ["HF_TOKEN"] == CANARY
