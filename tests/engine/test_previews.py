"""Previews are made on demand and never hold anything up."""

from __future__ import annotations

import asyncio
import socket

import pytest

import sdtui
from sdtui import paths
from sdtui.engine import subscriber as subscriber_module
from sdtui.engine.client import EngineClient
from sdtui.engine.subscriber import Subscriber
from sdtui.params import GenerationParams
from sdtui.protocol.codec import Decoder, encode
from sdtui.protocol.events import AnyEvent, JobSaved, PreviewReady, StepCompleted
from sdtui.protocol.requests import Attach, GrantPreview
from tests.engine.watching import of_kind, until


def params(prompt: str, steps: int) -> GenerationParams:
    return GenerationParams(prompt=prompt, num_inference_steps=steps, width=64, height=64)


@pytest.mark.usefixtures("fake_engine")
async def test_without_a_credit_only_the_last_preview_is_made() -> None:
    client = await EngineClient.connect(start=False)
    await client.submit(params("no previews please", 5))
    events = await until(client, JobSaved)
    assert [preview.step_index for preview in of_kind(events, PreviewReady)] == [4]
    await client.close()


@pytest.mark.usefixtures("fake_engine")
async def test_one_credit_is_one_preview() -> None:
    client = await EngineClient.connect(start=False)
    await client.submit(params("pause=0.1", 6))
    await until(client, StepCompleted)
    await client.grant_preview()
    events = await until(client, JobSaved)
    asked, last = of_kind(events, PreviewReady)
    assert 0 < asked.step_index < last.step_index == 5
    await client.close()


@pytest.mark.usefixtures("fake_engine")
async def test_a_preview_goes_to_those_who_asked_and_the_last_one_to_all() -> None:
    watching = await EngineClient.connect(start=False)
    listening = await EngineClient.connect(start=False)
    # The second says the same once more.
    await watching.grant_preview()
    await watching.grant_preview()
    await watching.submit(params("pause=0.1", 4))
    for_watching = of_kind(await until(watching, JobSaved), PreviewReady)
    for_listening = of_kind(await until(listening, JobSaved), PreviewReady)
    assert [preview.step_index for preview in for_watching] == [0, 3]
    assert [preview.step_index for preview in for_listening] == [3]
    await watching.close()
    await listening.close()


@pytest.mark.usefixtures("fake_engine")
async def test_a_late_client_gets_the_newest_preview_only() -> None:
    first = await EngineClient.connect(start=False)
    await first.submit(params("pause=0.2", 8))
    newest = (await granted(first, 3))[-1]
    late = await EngineClient.connect(start=False)
    events = await until(late, JobSaved)
    assert [preview.step_index for preview in of_kind(events, PreviewReady)] == [
        newest.step_index,
        7,
    ]
    assert len(of_kind(events, StepCompleted)) == 8
    await first.close()
    await late.close()


@pytest.mark.usefixtures("fake_engine")
async def test_a_client_that_does_not_read_holds_nobody_up() -> None:
    stalled_reader, stalled_writer = await asyncio.open_unix_connection(paths.socket_path())
    stalled_writer.write(encode(Attach(version=sdtui.__version__)))
    for _ in range(50):
        stalled_writer.write(encode(GrantPreview()))
    await stalled_writer.drain()
    stalled_writer.transport.pause_reading()  # type: ignore[attr-defined]

    client = await EngineClient.connect(start=False)
    await client.submit(params("preview-bytes=2000000 pause=0.01", 50))
    await until(client, JobSaved)

    stalled_writer.transport.resume_reading()  # type: ignore[attr-defined]
    decoder: Decoder[AnyEvent] = Decoder(AnyEvent)
    late: list[AnyEvent] = []
    while not of_kind(late, JobSaved):
        event = await decoder.read(stalled_reader)
        assert event is not None
        late.append(event)
    assert len(of_kind(late, StepCompleted)) == 50
    assert of_kind(late, PreviewReady)[-1].step_index == 49
    assert len(of_kind(late, PreviewReady)) < 10
    stalled_writer.close()
    await client.close()


@pytest.mark.usefixtures("fake_engine")
async def test_latents_are_made_while_somebody_shows_them() -> None:
    client = await EngineClient.connect(start=False)
    await client.grant_preview()
    # The frame that is granted already gets them too.
    await client.show_latents(True)
    await client.submit(params("pause=0.1", 6))
    assert [preview.latents is not None for preview in await previews(client, 1)] == [True]
    await client.show_latents(False)
    await client.grant_preview()
    assert [preview.latents for preview in await previews(client, 2)] == [None, None]
    await client.close()


@pytest.mark.usefixtures("fake_engine")
async def test_two_clients_watch_one_job_one_of_them_with_latents() -> None:
    with_them = await EngineClient.connect(start=False)
    without = await EngineClient.connect(start=False)
    await with_them.show_latents(True)
    await without.submit(params("pause=0.1", 12))
    for_them, for_it = await asyncio.gather(granted(with_them, 4), granted(without, 4))
    assert all(preview.latents for preview in for_them)
    assert len({preview.step_index for preview in for_it}) == 4

    # Who leaves wants nothing any more.
    await with_them.close()
    await until(without, JobSaved)
    await without.submit(params("pause=0.1", 4))
    assert all(preview.latents is None for preview in await granted(without, 1))
    await without.close()


@pytest.mark.usefixtures("fake_engine")
async def test_a_last_preview_that_came_unasked_leaves_room_for_the_next_jobs() -> None:
    client = await EngineClient.connect(start=False)
    await client.grant_preview()
    await client.submit(params("pause=0.1", 3))
    events = await until(client, JobSaved)
    assert [preview.step_index for preview in of_kind(events, PreviewReady)] == [0, 2]
    # Whoever was looking elsewhere has painted the last one alone.
    await client.grant_preview()
    await client.submit(params("pause=0.1", 3))
    events = await until(client, JobSaved)
    assert [preview.step_index for preview in of_kind(events, PreviewReady)] == [0, 2]
    await client.close()


async def granted(client: EngineClient, count: int) -> list[PreviewReady]:
    """So many previews, each asked for when the one before it is there."""
    seen = []
    for _ in range(count):
        await client.grant_preview()
        seen += await previews(client, 1)
    return seen


async def previews(client: EngineClient, count: int) -> list[PreviewReady]:
    """The next so many previews that come."""
    seen: list[AnyEvent] = []
    while len(of_kind(seen, PreviewReady)) < count:
        seen += await until(client, PreviewReady)
    return of_kind(seen, PreviewReady)


async def test_a_client_that_leaves_too_much_unread_is_let_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subscriber_module, "MAX_BACKLOG_BYTES", 100_000)
    ours, theirs = socket.socketpair()
    _, writer = await asyncio.open_unix_connection(sock=ours)
    subscriber = Subscriber(writer)
    delivery = asyncio.create_task(subscriber.deliver())
    event = JobSaved(job_id="1", path="x" * 10_000, size=0, seconds=0.0)
    for _ in range(5):
        subscriber.send(event)
    assert not writer.is_closing()
    for _ in range(6):
        subscriber.send(event)
    assert writer.is_closing()
    await delivery
    theirs.close()
