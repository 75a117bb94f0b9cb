"""`sdtui history`: past pictures in a shell."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sdtui.engine.client import EngineClient
from sdtui.params import GenerationParams
from sdtui.protocol.events import JobSaved
from tests.engine.conftest import StartEngine, start_fake_engine  # noqa: F401
from tests.engine.watching import of_kind, until

HOSTILE = "a [red] fox\x1b[2J [/nope]"


@pytest.fixture
def drawn(start_fake_engine: StartEngine) -> Iterator[Callable[..., list[str]]]:  # noqa: F811
    """`drawn(*prompts)` has pictures made of them, one after the other; their paths."""
    engine: subprocess.Popen[bytes] = start_fake_engine()
    assert engine.poll() is None

    async def draw(prompts: tuple[str, ...]) -> list[str]:
        client = await EngineClient.connect(start=False)
        for seed, prompt in enumerate(prompts):
            params = GenerationParams(
                prompt=prompt, seed=seed, num_inference_steps=2, width=64, height=64
            )
            await client.submit(params)
        saved: list[JobSaved] = []
        while len(saved) < len(prompts):
            saved += of_kind(await until(client, JobSaved), JobSaved)
        (found,) = (await client.search_gallery(prompts[0])).pictures[-1:]
        await client.set_favourite(found.job_id, True)
        await client.close()
        return [event.path for event in saved]

    return lambda *prompts: asyncio.run(draw(prompts))  # type: ignore[return-value]


def test_pictures_are_listed_newest_first_and_harmlessly(sdtui: Callable, drawn: Callable) -> None:
    apple, fox = drawn("a red apple", HOSTILE)
    Path(fox).unlink()
    lines = sdtui("history").out.splitlines()
    assert [line[18:] for line in lines[::3]] == ["a [red] fox␛[2J [/nope]", "a red apple"]
    assert lines[1].strip() == "seed 1 · 64×64 · 2 steps · UniPC · pocket · file is gone"
    assert lines[4].strip() == "seed 0 · 64×64 · 2 steps · UniPC · pocket · favourite"
    assert [line.strip() for line in lines[2::3]] == [fox, apple]


def test_words_favourites_and_a_limit_choose_among_them(sdtui: Callable, drawn: Callable) -> None:
    apple, fox, violin = drawn("a red apple", "a red fox", "a violin")

    def found(*arguments: str) -> list[str]:
        out = sdtui("history", *arguments, "--json").out
        return [json.loads(line)["path"] for line in out.splitlines()]

    assert found() == [violin, fox, apple]
    assert found("red") == [fox, apple]
    assert found("fo", "re") == [fox]
    assert found("--favourites") == [apple]
    assert found("--limit", "1") == [violin]
    outcome = sdtui("history", "--limit", "1")
    assert "2 more" in outcome.err


def test_json_tells_all_but_the_thumbnail(sdtui: Callable, drawn: Callable) -> None:
    (path,) = drawn(HOSTILE)
    outcome = sdtui("history", "--json")
    assert outcome.out.isascii()
    told = json.loads(outcome.out)
    assert told["params"]["prompt"] == HOSTILE
    assert (told["path"], told["exists"], told["favourite"]) == (path, True, True)
    assert "thumbnail" not in told


def test_show_prints_a_picture_above_each(sdtui: Callable, drawn: Callable) -> None:
    drawn("a red apple", "a fox")
    lines = sdtui("history", "--show").out.splitlines()
    heads = [index for index, line in enumerate(lines) if "a red apple" in line or "a fox" in line]
    assert len(heads) == 2
    for head in heads:
        assert "▄" in lines[head - 1]


def test_more_pages_than_one_are_read(
    sdtui: Callable, drawn: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = drawn(*[f"picture {number}" for number in range(5)])
    monkeypatch.setattr("sdtui.commands.history.MAX_PAGE_PICTURES", 2)
    out = sdtui("history", "--json", "--limit", "4").out
    assert [json.loads(line)["path"] for line in out.splitlines()] == paths[:0:-1]


def test_nothing_found_is_said_on_stderr(sdtui: Callable, drawn: Callable) -> None:
    drawn("a red apple")
    outcome = sdtui("history", "zebra")
    assert (outcome.code, outcome.out) == (0, "")
    assert "No picture was found." in outcome.err


def test_show_and_json_do_not_go_together(sdtui: Callable) -> None:
    outcome = sdtui("history", "--show", "--json")
    assert outcome.code == 2
    assert "--show: does not go with --json" in outcome.err
