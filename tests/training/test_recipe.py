"""The toy recipe goes from prepared pictures to a pipeline that loads, draws and is scored."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPTokenizer

from training.batches import Batches
from training.captions import held_out_pairs
from training.checkpoint import load_checkpoint, slim
from training.config import RECIPES
from training.ema import MovingAverage
from training.export import export_pipeline, export_run
from training.latents import balanced, encode_things, load_latents
from training.model import build_model
from training.pictures import (
    BACKGROUNDS,
    Things,
    background_colours,
    composite,
    load_things,
    views,
)
from training.pieces import NAME, cut, join
from training.places import CENTRED
from training.questions import SHEET, all_questions, held_out_combinations, sheet_questions
from training.run import run_recipe, train
from training.sampling import draw, load_pipeline
from training.schedule import TERMINAL_SIGNAL, alphas_cumprod
from training.text_encoder import Vocabulary
from training.vae import build_vae, load_trained_vae, train_vae
from training.warm_start import warm_start

TOY, CPU = RECIPES["toy"], RECIPES["cpu"]
# Half a second each, with a checkpoint on the way: nothing below asks how good the weights are.
TOY = replace(
    TOY,
    vae=replace(TOY.vae, minutes=0.008),
    diffusion=replace(TOY.diffusion, minutes=0.01),
    checkpoint_minutes=0.004,
)


@pytest.fixture
def things() -> Things:
    """Four discs of different sizes, premultiplied, 64 pixels wide."""
    rows = torch.arange(64) - 32
    distance = (rows[:, None] ** 2 + rows[None] ** 2).sqrt()
    discs = [(distance < radius).to(torch.uint8) * 255 for radius in (8, 14, 20, 26)]
    pictures = torch.stack([torch.stack([disc, disc // 2, disc // 4, disc]) for disc in discs])
    drawn = tuple((row, "3d") for row in range(4))
    return Things(pictures, ("fox", "cat", "dog", "red apple"), drawn)


def batches_of(things: Things, data: Path, recipe=TOY) -> Batches:  # type: ignore[no-untyped-def]
    """Batches over latents that hold their own view and background."""
    every = views(things, recipe.places)
    rows = torch.arange(len(every)).float().view(-1, 1, 1, 1, 1).expand(-1, 10, 1, 2, 2)
    columns = torch.arange(10).float().view(1, -1, 1, 1, 1).expand(len(every), -1, 1, 2, 2)
    return Batches(things, torch.cat([rows, columns], 2), build_model(things, recipe, data), recipe)


def test_the_toy_recipe_runs_in_one_go_and_draws(data: Path, tmp_path: Path) -> None:
    run, target = tmp_path / "run", tmp_path / "target"
    assert run_recipe(TOY, run=run, target=target, data=data)

    pipeline = load_pipeline(target / "model")
    assert len(pipeline.tokenizer) == 49_408
    scale = load_latents(run / "latents.pt").scaling_factor
    assert pipeline.vae.config.scaling_factor == pytest.approx(scale, rel=1e-4)
    prompts = ["flat fox, small, in the top left corner", "axolotl"]
    pictures = draw(pipeline, prompts, num_inference_steps=2)
    assert pictures.shape == (2, 3, 64, 64)
    assert pictures.isfinite().all()

    scores = (target / "scores.md").read_text()
    for part in (
        "seen combinations: flat",
        "held-out combinations",
        "the data itself",
        "dB PSNR",
        "not scored",
    ):
        assert part in scores
    with Image.open(target / "contact_sheet.png") as sheet:
        assert sheet.width == 8 * 64


def test_a_run_out_of_time_goes_on_elsewhere_from_its_pieces(data: Path, tmp_path: Path) -> None:
    run, target = tmp_path / "run", tmp_path / "target"
    train_vae(load_things(data / "pictures.npz", TOY), TOY, run)
    before = load_checkpoint(run / "vae.pt")
    assert before is not None

    options = {"run": run, "target": target, "data": data, "in_pieces": True}
    assert not run_recipe(TOY, minutes=0, **options)  # type: ignore[arg-type]
    assert load_checkpoint(run / "vae.pt")["step"] == before["step"]  # type: ignore[index]
    pieces = sorted(target.glob(f"{NAME}.*"))
    assert pieces
    assert (run / "text.pt").exists()

    elsewhere = tmp_path / "elsewhere"
    join(target, elsewhere)
    after = load_checkpoint(elsewhere / "vae.pt")
    assert after is not None
    for value, weight in zip(after["average"]["values"], before["average"]["values"], strict=True):
        torch.testing.assert_close(value.float(), weight, atol=1e-3, rtol=1e-3)
    things = load_things(data / "pictures.npz", TOY)
    assert train(things, TOY, elsewhere, data, until=None)
    assert load_checkpoint(elsewhere / "diffusion.pt")["step"] > 0  # type: ignore[index]


def test_a_trained_run_is_exported_in_pieces_even_without_the_time_to_score(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.run.SCORING_MINUTES", 1e6)
    options = {"run": tmp_path / "run", "target": tmp_path / "cut", "data": data, "minutes": 1e3}
    assert not run_recipe(TOY, in_pieces=True, **options)  # type: ignore[arg-type]
    join(tmp_path / "cut", tmp_path / "model")
    assert load_pipeline(tmp_path / "model").unet.config.in_channels == 4


def test_pieces_are_as_small_as_asked_and_none_may_be_missing(tmp_path: Path) -> None:
    source, cut_to = tmp_path / "source" / "inner", tmp_path / "cut"
    source.mkdir(parents=True)
    (source / "weights").write_bytes(random.Random(0).randbytes(25_000))
    pieces = cut(source.parent, cut_to, size=10_000)
    assert len(pieces) > 2
    assert all(piece.stat().st_size <= 10_000 for piece in pieces)
    join(cut_to, tmp_path / "joined")
    assert (tmp_path / "joined/inner/weights").read_bytes() == (source / "weights").read_bytes()
    pieces = cut(source.parent, cut_to, size=20_000)
    join(cut_to, tmp_path / "joined anew")
    pieces[1].unlink()
    with pytest.raises(FileNotFoundError, match="pieces"):
        join(cut_to, tmp_path / "again")


def test_a_slim_checkpoint_holds_the_averages_by_name() -> None:
    torch.manual_seed(0)
    vae = build_vae(TOY.vae, 64)
    average = MovingAverage(vae, 0.9)
    named = dict(zip(dict(vae.named_parameters()), average.values, strict=True))
    state = {"vae": vae.state_dict(), "optimizer": {}, "average": average.state_dict(), "step": 3}
    slimmed = slim(state, "vae")
    assert set(slimmed) == {"vae", "average", "step"}
    for name, value in named.items():
        assert torch.equal(slimmed["vae"][name], value.half())


def test_a_recipe_of_one_style_and_place_encodes_the_pictures_as_they_are(things: Things) -> None:
    torch.manual_seed(0)
    vae = build_vae(CPU.vae, 64).eval()
    colours = background_colours()
    with torch.inference_mode():
        rows = [
            vae.encode(composite(picture.expand(10, -1, -1, -1), colours)).latent_dist.mode()
            for picture in things.pictures
        ]
    latents = torch.stack(rows)
    mean, std = latents.mean((0, 1, 3, 4)), latents.std((0, 1, 3, 4))
    encoded = encode_things(vae, things, replace(TOY, places=(CENTRED,)))
    expected = (latents - mean.view(-1, 1, 1)) / std.view(-1, 1, 1)
    # With channels last, torch's group norm sums in another order, which tells on plain grounds.
    torch.testing.assert_close(encoded.latents, expected, atol=0.01, rtol=0)
    assert (encoded.latents - expected).abs().mean() < 1e-3


def test_captions_are_the_same_for_the_same_seed(data: Path) -> None:
    names = ("red apple", "fox", "octopus", "honeybee")
    drawn = tuple((row, "3d") for row in range(4))
    pictures = torch.zeros(4, 4, 64, 64, dtype=torch.uint8)
    recipe = replace(TOY, styles=("3d",), places=(CENTRED,), tags=False)
    batches = batches_of(Things(pictures, names, drawn), data, recipe)
    pairs = batches.draw_pairs(8)
    assert pairs == [(3, 1), (2, 9), (1, 5), (1, 0), (2, 0), (1, 5), (3, 0), (1, 0)]
    expected = [
        "honeybee on a black background",
        "an octopus on pink background",
        "a fox on yellow background",
        "a 3d emoji of a fox",
        "octopus on a white background",
        "a fox, large on a yellow background",
        "a honeybee, large on a white background",
        "fox",
    ]
    ids = batches.encode(pairs)
    assert torch.equal(ids, batches.model.vocabulary.encode(expected))


def test_training_never_sees_a_held_out_combination_in_any_place(data: Path) -> None:
    things = load_things(data / "pictures.npz", TOY)
    batches = batches_of(things, data)
    held_out = held_out_pairs(len(things.drawn), tuple(BACKGROUNDS), TOY.held_out, TOY.seed)
    assert held_out
    seen = set()
    for _ in range(200):
        latents = batches.draw().latents
        seen |= {(int(row), int(column)) for row, column in latents[:, :, 0, 0]}
    pictures = {(batches.views[row].picture, column) for row, column in seen}
    assert not pictures & held_out
    assert {batches.views[row].place for row, _ in seen} == set(TOY.places)
    assert {things.drawn[picture][1] for picture, _ in pictures} == set(TOY.styles)


def test_things_that_join_leave_the_others_their_held_out_combinations(data: Path) -> None:
    runs = [
        replace(TOY, held_out=0.5, most=most, stages=stages)
        for most, stages in ((2, ()), (3, (2,)), (8, (2, 3)))
    ]
    for few, more in pairwise((load_things(data / "pictures.npz", run), run) for run in runs):
        assert len(more[0].names) > len(few[0].names)
        assert more[0].names[: len(few[0].names)] == few[0].names
        count = len(few[0].drawn)
        assert more[0].drawn[:count] == few[0].drawn
        before, after = held_out_combinations(*few), held_out_combinations(*more)
        assert before == {pair for pair in after if pair[0] < count}


def test_things_that_join_are_seen_more_often(data: Path) -> None:
    recipe = replace(TOY, stages=(2,))
    things = load_things(data / "pictures.npz", recipe)
    batches = batches_of(things, data, recipe)
    counts = Counter(
        things.drawn[batches.views[row].picture][0] for row, _ in batches.draw_pairs(20_000)
    )
    shown = Counter(thing for thing, _ in things.drawn)
    known, *new = (counts[thing] / shown[thing] for thing in range(1, len(things.names)))
    assert min(new) > 1.3 * known


def test_batches_drawn_ahead_are_those_that_are_drawn_one_by_one(data: Path) -> None:
    things = load_things(data / "pictures.npz", TOY)
    one_by_one, ahead = batches_of(things, data), batches_of(things, data).draw_ahead()
    for _ in range(3):
        for drawn, expected in zip(next(ahead), one_by_one.draw(), strict=True):
            assert torch.equal(drawn, expected)


def test_words_are_encoded_as_the_tokenizer_encodes_captions(data: Path) -> None:
    captions = ["", "a fox, small", "flag: Côte d’Ivoire on red", "1st place — “free”! " * 30]
    tokenizer = build_model(load_things(data / "pictures.npz", TOY), TOY, data).vocabulary.tokenizer
    vocabulary = Vocabulary(tokenizer, captions)
    whole = tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt")
    assert torch.equal(vocabulary.token_ids[vocabulary.encode(captions)], whole.input_ids)
    with pytest.raises(KeyError, match="zebra"):
        vocabulary.encode(["a zebra"])


def test_questions_ask_for_combinations_that_were_held_out(data: Path) -> None:
    recipe = replace(TOY, held_out=0.5, everything=True)
    things = load_things(data / "pictures.npz", recipe)
    held_out = held_out_combinations(things, recipe)
    rows = all_questions(things, recipe)
    sheet = sheet_questions(things, recipe)
    assert len(sheet) == min(SHEET, len(rows["held-out combinations"]))
    for question in (*rows["held-out combinations"], *sheet):
        assert question.view is not None
        assert (question.view.picture, question.background) in held_out
    for question in rows["seen combinations"]:
        assert question.view is not None
        assert (question.view.picture, question.background) not in held_out
    assert "a kitten" in {question.prompt for question in rows["held-out synonyms"]}
    assert sheet == sheet_questions(things, recipe)


def test_a_run_begins_from_exported_weights(data: Path, tmp_path: Path) -> None:
    things = load_things(data / "pictures.npz", TOY)
    target = tmp_path / "model"
    killed = tmp_path / ".export-model-killed"
    killed.mkdir()
    untrained, vae = build_model(things, TOY, data, 8), build_vae(TOY.vae, 64)
    vae = balanced(vae, encode_things(vae, things, TOY))
    export_pipeline(untrained, vae, TOY, things, target, data)

    assert not killed.exists()

    begun = tmp_path / "begun"
    begun.mkdir()
    (begun / "text.pt").touch()
    warm_start(build_model(things, TOY, data, 8), things, TOY, begun, target)
    state = load_checkpoint(begun / "diffusion.pt")
    assert state is not None
    assert state["step"] == 0
    assert not (begun / "text.pt").exists()
    exported = load_pipeline(target).unet.state_dict()
    for name, weight in exported.items():
        assert torch.equal(state["networks"][f"0.{name}"], weight)
    places = len(things.drawn) * len(TOY.places)
    assert load_latents(begun / "latents.pt").latents.shape == (places, 10, 4, 8, 8)
    again = tmp_path / "again"
    export_run(things, TOY, begun, again, data)
    written = load_pipeline(again)
    for name, weight in written.unet.state_dict().items():
        assert torch.equal(weight, exported[name])


def test_words_that_are_new_to_a_run_begin_apart_from_the_rows_they_were_lent(
    data: Path, tmp_path: Path
) -> None:
    few = replace(TOY, most=2)
    things = load_things(data / "pictures.npz", few)
    model = build_model(things, few, data, 8)
    vae = build_vae(TOY.vae, 64)
    export_pipeline(model, vae, few, things, tmp_path / "model", data)
    known = set(model.vocabulary.token_ids.tolist())

    more = replace(TOY, stages=(2,))
    things = load_things(data / "pictures.npz", more)
    model = build_model(things, more, data, 8)
    warm_start(model, things, more, tmp_path / "run", tmp_path / "model")
    rows = model.text_encoder.embeddings.token_embedding.weight
    is_known = torch.tensor([token in known for token in model.vocabulary.token_ids.tolist()])
    assert not bool(is_known.all())
    as_exported = (rows == model.table[model.vocabulary.token_ids]).all(-1)
    assert torch.equal(as_exported, is_known)


def test_a_word_that_no_caption_used_is_exported_as_its_nearest(data: Path, tmp_path: Path) -> None:
    things = load_things(data / "pictures.npz", TOY)
    vectors = np.load(data / "word_vectors.npz")["vectors"]
    tokenizer = CLIPTokenizer.from_pretrained(data / "tokenizer")
    fox, vixen = (tokenizer(word, add_special_tokens=False).input_ids[0] for word in ("fox", "vix"))
    vectors[vixen] = vectors[fox]
    np.savez(data / "word_vectors.npz", vectors=vectors)
    model, target = build_model(things, TOY, data, 8), tmp_path / "model"
    with torch.no_grad():
        model.text_encoder.embeddings.token_embedding.weight += 1
    export_pipeline(model, build_vae(TOY.vae, 64), TOY, things, target, data)

    rows = load_pipeline(target).text_encoder.embeddings.token_embedding.weight
    trained = model.text_encoder.embeddings.token_embedding.weight.half().float()
    assert torch.equal(rows[model.vocabulary.token_ids], trained)
    torch.testing.assert_close(rows[vixen], rows[fox], atol=0.05, rtol=0)
    is_used = torch.isin(torch.arange(len(rows)), model.vocabulary.token_ids)
    kept = (rows == model.table.half().float()).all(-1)
    assert kept[~is_used].float().mean() > 0.5


def test_balancing_changes_latents_and_not_pictures(things: Things, tmp_path: Path) -> None:
    train_vae(things, TOY, tmp_path)
    vae = load_trained_vae(TOY, tmp_path, 64)
    pictures = composite(things.pictures, torch.full((4, 3), 0.5))
    with torch.inference_mode():
        before = vae.decode(vae.encode(pictures).latent_dist.mode()).sample
    balanced(vae, encode_things(vae, things, replace(TOY, places=(CENTRED,))))
    with torch.inference_mode():
        latents = vae.encode(pictures).latent_dist.mode()
        torch.testing.assert_close(vae.decode(latents).sample, before, atol=1e-4, rtol=1e-4)
    assert float(latents.std() * vae.config.scaling_factor) == pytest.approx(1, abs=0.5)


def test_training_resumes_from_its_checkpoint(things: Things, tmp_path: Path) -> None:
    train_vae(things, TOY, tmp_path)
    before = torch.load(tmp_path / "vae.pt", weights_only=True)
    train_vae(things, TOY, tmp_path, resume=True)
    after = torch.load(tmp_path / "vae.pt", weights_only=True)
    assert after["step"] == before["step"]
    for name, weight in before["vae"].items():
        torch.testing.assert_close(after["vae"][name], weight)


def test_the_schedule_ends_almost_without_signal() -> None:
    signal = alphas_cumprod().sqrt()
    assert float(signal[-1]) == pytest.approx(TERMINAL_SIGNAL, rel=1e-3)
    assert bool((signal.diff() < 0).all())
