"""The whole engine with the bundled model: the lesson in order, and the loop under control."""

from __future__ import annotations

import hashlib
import os
import signal
from pathlib import Path

import pytest
from PIL import Image

from sdtui.engine.client import EngineClient
from sdtui.history.images import read_params, read_record
from sdtui.models import catalogue
from sdtui.params import GenerationParams
from sdtui.protocol.events import (
    AnyEvent,
    ComponentLoaded,
    ComponentLoading,
    DenoisingStarted,
    GuidanceAdjusted,
    ImageDecoded,
    JobCancelled,
    JobFailed,
    JobSaved,
    JobStarted,
    LatentsDrawn,
    ModelFailed,
    ModelLoaded,
    PreviewReady,
    PromptEncoded,
    PromptTokenized,
    StepCompleted,
)
from tests.engine.processes import children, wait_for
from tests.engine.watching import names, of_kind, until

pytestmark = pytest.mark.usefixtures("real_engine")

COMPONENTS = ["tokenizer", "text_encoder", "unet", "vae", "scheduler"]


def params(prompt: str = "a red apple", steps: int = 4, **others: object) -> GenerationParams:
    settings = {"width": 64, "height": 64, "seed": 7} | others
    return GenerationParams(prompt=prompt, num_inference_steps=steps, **settings)  # type: ignore[arg-type]


async def test_a_preloaded_model_tells_its_components() -> None:
    client = await EngineClient.connect(start=False)
    await client.load_model("pocket")
    events = await until(client, ModelLoaded)
    assert [event.component for event in of_kind(events, ComponentLoading)] == COMPONENTS
    loaded = of_kind(events, ComponentLoaded)
    assert [event.index for event in loaded] == [0, 1, 2, 3, 4]
    (model,) = of_kind(events, ModelLoaded)
    assert model.parameters == sum(event.parameters for event in loaded) > 1_000_000
    assert model.memory > model.size
    await client.close()


async def test_a_job_is_told_in_the_order_of_the_lesson() -> None:
    client = await EngineClient.connect(start=False)
    await client.load_model("pocket")
    await until(client, ModelLoaded)
    wanted = params("a red apple", negative_prompt="text", guidance_scale=5.0)
    job_id = await client.submit(wanted)
    events = await until(client, JobSaved)

    told = names(events)
    assert told == [
        "JobQueued",
        "JobStarted",
        "PromptTokenized",
        "PromptEncoded",
        "LatentsDrawn",
        "DenoisingStarted",
        *["StepCompleted"] * 4,
        "PreviewReady",
        "ImageDecoded",
        "JobSaved",
    ]
    times = [event.time for event in events if hasattr(event, "job_id")]
    assert times == sorted(times)
    assert {event.job_id for event in events if hasattr(event, "job_id")} == {job_id}

    (tokenized,) = of_kind(events, PromptTokenized)
    assert [token.id for token in tokenized.prompt.tokens] == [49406, 320, 736, 3055, 49407]
    assert tokenized.prompt.padding == 72
    assert (tokenized.sequence_length, tokenized.vocabulary) == (77, 49408)
    (encoded,) = of_kind(events, PromptEncoded)
    assert encoded.guided_shape == (2, *encoded.shape[1:])
    assert encoded.norm > 0
    (drawn,) = of_kind(events, LatentsDrawn)
    assert drawn.shape == (1, 4, 8, 8)
    assert drawn.seed == 7
    (started,) = of_kind(events, DenoisingStarted)
    steps = of_kind(events, StepCompleted)
    assert [step.timestep for step in steps] == started.timesteps
    assert [step.sigma for step in steps] == started.sigmas
    assert all(step.guidance_norm and step.seconds > 0 for step in steps)
    (decoded,) = of_kind(events, ImageDecoded)
    (saved,) = of_kind(events, JobSaved)
    assert read_params(Path(saved.path)) == wanted
    with Image.open(saved.path) as picture:
        assert picture.size == (64, 64)
        assert picture.tobytes() == decoded.rgb
    await client.close()


async def test_the_same_seed_draws_the_same_picture_again() -> None:
    client = await EngineClient.connect(start=False)
    pictures = []
    for _ in range(2):
        await client.submit(params(guidance_scale=1.0))
        events = await until(client, JobSaved)
        pictures.append(of_kind(events, ImageDecoded)[0].rgb)
        assert of_kind(events, PromptEncoded)[0].guided_shape[0] == 1
        assert of_kind(events, StepCompleted)[0].guidance_norm is None
    assert pictures[0] == pictures[1]
    await client.close()


async def test_a_job_stops_between_two_steps() -> None:
    client = await EngineClient.connect(start=False)
    job_id = await client.submit(params(steps=200))
    await until(client, StepCompleted)
    await client.cancel(job_id)
    events = await until(client, JobCancelled)
    (cancelled,) = of_kind(events, JobCancelled)
    assert 1 <= cancelled.completed < cancelled.count == 200
    assert cancelled.completed == 1 + len(of_kind(events, StepCompleted))
    await client.close()


async def test_guidance_changes_between_two_steps() -> None:
    client = await EngineClient.connect(start=False)
    job_id = await client.submit(params(steps=40, guidance_scale=7.5))
    await until(client, StepCompleted)
    await client.adjust(job_id, 1.0)
    events = await until(client, JobSaved)
    (adjusted,) = of_kind(events, GuidanceAdjusted)
    for step in of_kind(events, StepCompleted):
        is_after = step.step_index >= adjusted.step_index
        assert step.guidance_scale == (1.0 if is_after else 7.5)
        assert (step.guidance_norm is None) == is_after
    await client.close()


async def test_latents_come_beside_the_previews_of_whoever_shows_them() -> None:
    client = await EngineClient.connect(start=False)
    await client.show_latents(True)
    await client.grant_preview()
    await client.submit(params(steps=3))
    preview, *_ = of_kind(await until(client, JobSaved), PreviewReady)
    latents = preview.latents
    assert latents is not None
    assert len(latents.rgb) == latents.width * latents.height * 3
    assert latents.rgb != preview.rgb
    await client.close()


async def test_previews_come_every_so_many_steps_if_somebody_can_show_them() -> None:
    client = await EngineClient.connect(start=False)
    await client.grant_preview()
    await client.submit(params(steps=8, preview_every=3))
    events: list[AnyEvent] = []
    while not of_kind(events, JobSaved):
        events += await until(client, PreviewReady, JobSaved)
        await client.grant_preview()
    previews = of_kind(events, PreviewReady)
    assert [preview.step_index for preview in previews] == [2, 5, 7]
    assert all(len(frame.rgb) == frame.width * frame.height * 3 for frame in previews)
    made = [step.step_index for step in of_kind(events, StepCompleted) if step.preview_seconds]
    assert made == [2, 5, 7]
    await client.submit(params(steps=3, preview_every=0))
    assert "PreviewReady" not in names(await until(client, JobSaved))
    await client.close()


async def test_a_model_that_is_not_there_fails_its_job_only() -> None:
    client = await EngineClient.connect(start=False)
    await client.submit(params(model="/nowhere/at/all"))
    await client.submit(params())
    events = await until(client, JobSaved)
    (failed,) = of_kind(events, JobFailed)
    assert "/nowhere/at/all" in failed.message + failed.title
    assert failed.remedy
    await client.load_model("/nowhere/at/all")
    (failed_model,) = of_kind(await until(client, ModelFailed), ModelFailed)
    assert failed_model.model == "/nowhere/at/all"
    await client.close()


async def test_the_hash_of_the_model_is_in_the_picture_once_it_is_known(real_engine: Path) -> None:
    client = await EngineClient.connect(start=False)
    await client.load_model("pocket")
    await until(client, ModelLoaded)
    wait_for((real_engine / "data" / "weights.json").exists)
    (unet,) = catalogue.locate("pocket").glob("unet/*.safetensors")  # type: ignore[union-attr]
    sha256 = hashlib.sha256(unet.read_bytes()).hexdigest()
    await client.submit(params())
    (saved,) = of_kind(await until(client, JobSaved), JobSaved)
    assert read_record(Path(saved.path)).unet_sha256 == sha256
    with Image.open(saved.path) as picture:
        assert f"Model hash: {sha256[:10]}, Model: pocket" in picture.text["parameters"]
    await client.close()


async def test_a_killed_worker_costs_one_retry() -> None:
    client = await EngineClient.connect(start=False)
    wanted = params(steps=24)
    await client.submit(wanted)
    await until(client, StepCompleted)
    (worker,) = children(client.status.pid)
    os.kill(worker, signal.SIGKILL)
    events = await until(client, JobSaved)
    assert len(of_kind(events, JobStarted)) == 1
    assert "ModelLoaded" in names(events)
    steps = [step.step_index for step in of_kind(events, StepCompleted)]
    assert steps[-24:] == list(range(24))
    await client.submit(wanted)
    undisturbed = of_kind(await until(client, ImageDecoded), ImageDecoded)
    assert of_kind(events, ImageDecoded)[0].rgb == undisturbed[0].rgb
    await until(client, JobSaved)
    await client.close()


async def test_loading_stops_between_two_components_and_starts_anew_for_the_next_job() -> None:
    client = await EngineClient.connect(start=False)
    job_id = await client.submit(params(), dtype="bfloat16")
    await until(client, ComponentLoading)
    await client.cancel(job_id)
    events = await until(client, JobCancelled)
    assert of_kind(events, JobCancelled)[0].completed == 0
    assert "ModelLoaded" not in names(events)
    assert client.status.model == ""
    await client.submit(params(), dtype="bfloat16")
    (loaded,) = of_kind(await until(client, JobSaved), ModelLoaded)
    assert loaded.dtype == "bfloat16"
    await client.close()


async def test_a_model_asked_for_later_takes_the_place_of_one_that_is_loading() -> None:
    client = await EngineClient.connect(start=False)
    await client.load_model("pocket", dtype="float32")
    await until(client, ComponentLoading)
    await client.load_model("pocket", dtype="float16")
    events = await until(client, ModelLoaded)
    assert of_kind(events, ModelLoaded)[0].dtype == "float16"
    assert "ModelFailed" not in names(events)
    await client.close()
