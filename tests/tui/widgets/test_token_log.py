"""The log tells a run as the lesson does, fits its pane, and can be told again."""

from __future__ import annotations

import re

import msgspec
import pytest
from textual.app import App
from textual.strip import Strip

from sdtui.params import GenerationParams
from sdtui.protocol.events import (
    ComponentLoaded,
    DenoisingStarted,
    Event,
    GuidanceAdjusted,
    ImageDecoded,
    JobCancelled,
    JobFailed,
    JobInterrupted,
    JobParked,
    JobSaved,
    JobStarted,
    LatentsDrawn,
    ModelLoaded,
    PreviewReady,
    PromptEncoded,
    PromptTokenized,
    SavingDelayed,
    StepCompleted,
    Token,
    TokenizedText,
)
from sdtui.text import clean
from sdtui.tui.widgets.token_log import TokenLog

Stage = type[App[None]]
START, END = Token(id=49406, text="<|startoftext|>"), Token(id=49407, text="<|endoftext|>")


def tokenized(text: str, *words: tuple[int, str], cut: str = "") -> TokenizedText:
    tokens = [START, *(Token(id=number, text=word) for number, word in words), END]
    return TokenizedText(
        text=text, tokens=tokens, padding=77 - len(tokens), pad_token_id=49407, cut=cut
    )


APPLE = tokenized("a red apple", (320, "a</w>"), (736, "red</w>"), (3055, "apple</w>"))
EMPTY = tokenized("")


def loading() -> list[Event]:
    return [
        ComponentLoaded(
            model="pocket",
            component="text_encoder",
            index=1,
            count=5,
            class_name="CLIPTextModel",
            parameters=123_060_480,
            size=492_241_920,
            seconds=0.41,
        ),
        ModelLoaded(
            model="pocket",
            device="cuda",
            device_name="A GPU of some long name, 80 GB",
            dtype="float16",
            parameters=1_066_235_307,
            size=2_132_470_614,
            memory=3_100_000_000,
            seconds=2.0,
        ),
    ]


def run(
    *,
    job_id: str = "j",
    prompt: TokenizedText = APPLE,
    negative: TokenizedText = EMPTY,
    guided: bool = True,
    steps: int = 3,
) -> list[Event]:
    """A whole run's events, in order."""
    params = GenerationParams(
        prompt=prompt.text, seed=42, num_inference_steps=max(steps, 1), guidance_scale=7.5
    )
    sigmas = [14.615, 1.94, 0.029, 0.01][:steps]
    return [
        JobStarted(job_id=job_id, params=params),
        PromptTokenized(
            job_id=job_id,
            sequence_length=77,
            vocabulary=49408,
            prompt=prompt,
            negative_prompt=negative,
        ),
        PromptEncoded(
            job_id=job_id,
            shape=(1, 77, 160),
            guided_shape=(2, 77, 160) if guided else (1, 77, 160),
            dtype="float32",
            norm=110.43,
            negative_norm=104.21,
            seconds=0.021,
        ),
        LatentsDrawn(
            job_id=job_id,
            seed=42,
            shape=(1, 4, 16, 16),
            dtype="float32",
            mean=0.003,
            std=14.61,
            init_noise_sigma=14.615,
            device="cpu",
            memory=1_400_000_000,
        ),
        DenoisingStarted(
            job_id=job_id,
            scheduler="UniPC",
            prediction_type="epsilon",
            guidance_scale=7.5 if guided else 1.0,
            timesteps=[999.0, 519.0, 1.0][:steps],
            sigmas=sigmas,
        ),
        *(
            StepCompleted(
                job_id=job_id,
                step_index=index,
                count=steps,
                timestep=[999.0, 519.0, 1.0][index],
                sigma=sigma,
                latents_mean=0.0,
                latents_std=1.0,
                guidance_scale=7.5 if guided else 1.0,
                guidance_norm=3.1 if guided else None,
                seconds=0.041,
            )
            for index, sigma in enumerate(sigmas)
        ),
        ImageDecoded(job_id=job_id, width=128, height=128, rgb=bytes(128 * 128 * 3), seconds=0.12),
        JobSaved(job_id=job_id, path="/pictures/2026/0001.png", size=21_000, seconds=2.1),
    ]


async def told(stage: Stage, events: list[Event], width: int = 46) -> list[str]:
    """What the log shows of the events, line by line."""
    log = TokenLog()
    async with stage(log).run_test(size=(width, 40)) as pilot:
        return await lines_after(log, events, pilot)


async def lines_after(log: TokenLog, events: list[Event], pilot) -> list[str]:
    for event in events:
        log.show(event)
    await settled(log, pilot)
    return [strip.text.rstrip() for strip in log.lines]


async def settled(log: TokenLog, pilot) -> None:
    """Until nothing waits to be written."""
    await pilot.pause()
    while log._told < len(log._events):
        await pilot.pause(0.02)
    await pilot.pause()


async def test_the_stages_come_in_the_order_of_the_lesson(stage: Stage) -> None:
    lines = await told(stage, run())

    headings = [line.split()[1] for line in lines if re.match(r"\d \w+ ", line)]
    assert headings == ["tokens", "embeddings", "latents", "denoising", "decode"]


async def test_tokens_show_their_ids_in_a_column_and_what_was_padded(stage: Stage) -> None:
    lines = await told(stage, run())

    start = lines.index("  49406 <|startoftext|>")
    assert lines[start : start + 6] == [
        "  49406 <|startoftext|>",
        "    320 a",
        "    736 red",
        "   3055 apple",
        "  49407 <|endoftext|>",
        "      … 5 used, 72 padding",
    ]


async def test_a_word_of_several_tokens_is_hyphenated_between_them(stage: Stage) -> None:
    text = tokenized("astrolabe", (10_000, "astro"), (20_000, "labe</w>"))

    lines = await told(stage, run(prompt=text))

    assert "  10000 astro-" in lines
    assert "  20000 labe" in lines


async def test_a_long_prompt_folds_and_what_the_model_cannot_see_is_told(stage: Stage) -> None:
    words = [(1000 + place, f"w{place}</w>") for place in range(75)]
    text = tokenized("many words", *words, cut="and a dragon [/] in the corner")

    lines = await told(stage, run(prompt=text))

    assert "      … 64 more …" in lines
    assert "   1073 w73" in lines
    assert "   1050 w50" not in lines
    assert any("not seen: and a dragon [/]" in line for line in lines)
    assert "      … 77 used, 0 padding" in lines


async def test_guidance_shows_both_halves_and_their_difference(stage: Stage) -> None:
    lines = await told(stage, run())

    assert "  to U-Net   (2, 77, 160)  both" in lines
    assert "    1/3  999 14.615  1.000  3.100    41" in lines
    assert "    3/3    1  0.029  1.000  3.100    41" in lines


async def test_without_guidance_there_is_one_half_and_no_difference(stage: Stage) -> None:
    lines = await told(stage, run(guided=False))

    assert not any("to U-Net" in line for line in lines)
    assert "    2/3  519  1.940  1.000           41" in lines
    assert any("no second half" in line for line in lines)


@pytest.mark.parametrize(("guided", "scale"), [(True, 1.0), (False, 9.0)])
async def test_the_loop_is_explained_by_the_guidance_with_which_it_begins(
    stage: Stage, guided: bool, scale: float
) -> None:
    events = [
        msgspec.structs.replace(event, guidance_scale=scale)
        if isinstance(event, DenoisingStarted)
        else event
        for event in run(guided=guided)
    ]

    lines = " ".join(await told(stage, events))

    assert ("difference 9 times" in lines) == (not guided)
    assert ("‖text − uncond‖" in lines) == (not guided)


async def test_the_latents_tell_shape_statistics_seed_and_memory(stage: Stage) -> None:
    lines = await told(stage, run())

    assert any(re.fullmatch(r"3 latents +seed 42", line) for line in lines)
    assert "  shape      (1, 4, 16, 16)  fp32" in lines
    assert "  mean, std  0.003, 14.610" in lines
    assert "  init sigma 14.615" in lines
    assert "  device     cpu  1.4 GB in use" in lines


async def test_loading_tells_each_component_before_the_job(stage: Stage) -> None:
    lines = await told(stage, loading() + run())

    assert "  text_encoder    123 M   492 MB  410 ms" in lines
    assert "  device     cuda fp16  A GPU of some long" in "\n".join(lines)


async def test_changed_guidance_is_noted_between_the_steps(stage: Stage) -> None:
    events = run()
    events.insert(-3, GuidanceAdjusted(job_id="j", step_index=2, guidance_scale=9.0))

    lines = await told(stage, events)

    assert lines.index("  guidance 9 from step 3 on") < lines.index(
        "    3/3    1  0.029  1.000  3.100    41"
    )


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (JobCancelled(job_id="j", completed=2, count=25), "  stopped at 2/25"),
        (JobCancelled(job_id="j", completed=0, count=0), "  stopped before the first step"),
        (JobFailed(job_id="j", title="Out of memory", remedy="Draw less."), "Out of memory"),
        (JobParked(job_id="j", title="Twice", remedy="Draw less."), "  Draw less."),
        (SavingDelayed(job_id="j", title="No room", remedy="Make some."), "  Make some."),
    ],
)
async def test_the_end_is_told_whatever_it_was(stage: Stage, end: Event, said: str) -> None:
    assert said in await told(stage, [*run()[:-2], end])


@pytest.mark.parametrize("width", [38, 40, 46, 60, 100])
async def test_no_line_is_wider_than_the_pane(stage: Stage, width: int) -> None:
    long = tokenized("x" * 300, (1, "x" * 300), cut="y" * 500)
    events = [*loading(), *run(prompt=long, negative=long)]
    events.append(JobFailed(job_id="j", title="t" * 200, message="/no/space" * 40, remedy="r"))

    lines = await told(stage, events, width)

    assert max(map(len, lines)) <= width - 1


async def test_step_rows_fit_38_columns_whole(stage: Stage) -> None:
    lines = await told(stage, run(), 38)

    assert "   1  999 14.615  1.000  3.100    41" in lines


async def test_f4_hides_the_sentences_of_what_was_already_told_and_brings_them_back(
    stage: Stage,
) -> None:
    log = TokenLog()
    async with stage(log).run_test(size=(46, 40)) as pilot:
        with_sentences = await lines_after(log, run(), pilot)
        log.explanations = False
        await settled(log, pilot)
        without = [strip.text.rstrip() for strip in log.lines]
        log.explanations = True
        await settled(log, pilot)

        assert any("vocabulary" in line for line in with_sentences)
        assert not any("vocabulary" in line for line in without)
        assert "  49406 <|startoftext|>" in without
        assert [strip.text.rstrip() for strip in log.lines] == with_sentences


async def test_the_sentences_are_dim_and_the_figures_bright(stage: Stage) -> None:
    log = TokenLog()
    async with stage(log).run_test(size=(46, 40)) as pilot:
        lines = await lines_after(log, run(), pilot)
        place = next(i for i, line in enumerate(lines) if "vocabulary" in line)
        sentence, prompt = (log.lines[i]._segments[0].style for i in (place, 0))

        assert sentence is not None
        assert prompt is not None
        assert sentence.italic
        assert sentence.color != prompt.color


async def test_the_newest_line_stays_in_view_unless_the_reader_scrolled_away(
    stage: Stage,
) -> None:
    log = TokenLog()
    async with stage(log).run_test(size=(46, 12)) as pilot:
        await lines_after(log, run()[:-2], pilot)
        assert log.max_scroll_y > 0
        assert log.scroll_offset.y == log.max_scroll_y

        log.scroll_to(y=3, animate=False)
        await pilot.pause()
        await lines_after(log, run()[-2:], pilot)
        assert log.scroll_offset.y == 3


@pytest.mark.parametrize("size", [(40, 8), (40, 12), (60, 8), (30, 20)])
async def test_the_newest_line_stays_in_view_at_another_size(
    stage: Stage, size: tuple[int, int]
) -> None:
    log = TokenLog()
    async with stage(log).run_test(size=(40, 12)) as pilot:
        await lines_after(log, run(), pilot)
        await pilot.resize_terminal(*size)
        await settled(log, pilot)
        assert log.scroll_offset.y == log.max_scroll_y > 0


async def test_another_width_tells_the_whole_log_again(stage: Stage) -> None:
    log = TokenLog()
    async with stage(log).run_test(size=(38, 40)) as pilot:
        await lines_after(log, run(), pilot)
        await pilot.resize_terminal(60, 40)
        await settled(log, pilot)

        assert "    1/3  999 14.615  1.000  3.100    41" in [
            strip.text.rstrip() for strip in log.lines
        ]


async def test_another_theme_tells_it_in_its_own_colours(stage: Stage) -> None:
    log = TokenLog()
    app = stage(log)
    async with app.run_test(size=(46, 40)) as pilot:
        await lines_after(log, run(), pilot)
        app.theme = "sdtui-light"
        await pilot.pause()
        await settled(log, pilot)

        colours = {str(segment.style.color.name) for segment in log.lines[0] if segment.style}
        assert colours == {"#0f0e0c"}


async def test_the_next_job_begins_a_new_page(stage: Stage) -> None:
    lines = await told(stage, loading() + run() + run(job_id="k", prompt=tokenized("a taxi")))

    assert lines[0] == "a taxi"
    assert sum(line.startswith("1 tokens") for line in lines) == 1


async def test_why_a_job_begins_again_stands_above_its_second_attempt(stage: Stage) -> None:
    interrupted = JobInterrupted(job_id="j", title="The job begins again", message="It died.")
    lines = await told(stage, [*loading(), *run()[:-3], interrupted, *run()])

    assert lines[:2] == ["The job begins again", "  It died."]
    assert sum(line.startswith("1 tokens") for line in lines) == 1


async def test_what_came_between_two_paints_is_kept_and_pictures_are_not(stage: Stage) -> None:
    log = TokenLog()
    frame = PreviewReady(job_id="j", step_index=0, count=3, width=1, height=1, rgb=b"abc")
    async with stage(log).run_test(size=(46, 40)) as pilot:
        await lines_after(log, [*run(), frame], pilot)

        assert not any(getattr(event, "rgb", b"") for event in log._events)


@pytest.mark.parametrize("foreign", ["[/]", "[b]x[/i]", "a\x1b]52;c;eA==\x07b", "\u202egnp.exe"])
async def test_foreign_text_is_shown_harmlessly(stage: Stage, foreign: str) -> None:
    text = tokenized(foreign, (1, f"{foreign}</w>"), cut=foreign)
    failure = JobFailed(job_id="j", title=foreign, message=foreign, remedy=foreign)

    lines = await told(stage, [*run(prompt=text, negative=text), failure], 60)

    everything = "\n".join(lines)
    assert not set("\x1b\x07\u202e") & set(everything)
    assert everything.count(clean(foreign)) >= 5


def inside(log: TokenLog) -> list[Strip]:
    """The lines of the pane between its borders."""
    return log.render_lines(log.outer_size.region)[1:-1]


async def test_the_pane_shows_the_lines_that_it_is_scrolled_to(stage: Stage) -> None:
    log = TokenLog()
    log.styles.border = ("round", "red")
    async with stage(log).run_test(size=(50, 14)) as pilot:
        for event in run():
            await lines_after(log, [event], pilot)
            top, height = log.scroll_offset.y, log.size.height
            lines = [line.text.rstrip() for line in log.lines[top : top + height]]
            shown = [line.text[1:-1].rstrip() for line in inside(log)]
            assert shown == lines + [""] * (height - len(lines))
        assert log.is_vertical_scroll_end
        log.scroll_to(y=0, animate=False, immediate=True)
        assert [line.text[1:-1].rstrip() for line in inside(log)][:5] == [
            line.text.rstrip() for line in log.lines[:5]
        ]


async def test_a_line_that_moves_is_styled_once_and_again_for_another_border(stage: Stage) -> None:
    log = TokenLog()
    log.styles.border = ("round", "red")
    async with stage(log).run_test(size=(50, 14)) as pilot:
        await lines_after(log, run(), pilot)
        before = inside(log)
        log.scroll_to(y=log.scroll_offset.y - 2, animate=False, immediate=True)
        assert all(now is then for now, then in zip(inside(log)[2:], before, strict=False))
        log.styles.border = ("round", "blue")
        assert not any(now is then for now, then in zip(inside(log)[2:], before, strict=False))


async def test_of_the_scroll_bar_only_what_has_moved_is_painted(stage: Stage) -> None:
    log = TokenLog()
    async with stage(log).run_test(size=(50, 14)) as pilot:
        bar = log.vertical_scrollbar
        told = run()
        kept = 0
        for event in told:
            before = bar.render_lines(bar.size.region)
            await lines_after(log, [event], pilot)
            after = bar.render_lines(bar.size.region)
            kept += sum(now is then for now, then in zip(after, before, strict=True))
            expected = bar.renderer.render_bar(
                bar.size.height, len(log.lines), log.size.height, log.max_scroll_y
            )
            if log.max_scroll_y:
                assert [(s.text, s.style.meta) for (s,) in after if s.style] == [
                    (s.text, s.style.meta) for s in expected.segments if s.style
                ]
        assert log.is_vertical_scroll_end
        assert kept > len(told) * bar.size.height / 2


async def test_a_reader_who_scrolled_up_may_have_the_log_told_shorter(stage: Stage) -> None:
    log = TokenLog()
    async with stage(log).run_test(size=(46, 12)) as pilot:
        before = await lines_after(log, run(), pilot)
        log.scroll_to(y=log.max_scroll_y - 1, animate=False, immediate=True)
        log.explanations = False
        await settled(log, pilot)
        assert len(log.lines) < len(before)
