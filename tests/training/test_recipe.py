"""The toy recipe goes from pictures to a pipeline that loads and draws."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from training.batches import Batches
from training.config import RECIPES
from training.diffusion import load_trained_model, train_diffusion
from training.export import POCKET, export_pipeline
from training.latents import balanced, encode_things, load_latents, save_latents
from training.model import build_model
from training.pictures import Things, composite
from training.sampling import draw, load_pipeline
from training.schedule import TERMINAL_SIGNAL, alphas_cumprod
from training.text_training import train_text
from training.vae import load_trained_vae, train_vae

TOY = RECIPES["toy"]


@pytest.fixture
def things() -> Things:
    """Four discs of different sizes, premultiplied, 64 pixels wide."""
    rows = torch.arange(64) - 32
    distance = (rows[:, None] ** 2 + rows[None] ** 2).sqrt()
    discs = [(distance < radius).to(torch.uint8) * 255 for radius in (8, 14, 20, 26)]
    pictures = torch.stack([torch.stack([disc, disc // 2, disc // 4, disc]) for disc in discs])
    return Things(pictures, ("fox", "cat", "dog", "red apple"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """What training.prepare would leave, with random word vectors."""
    shutil.copytree(POCKET / "tokenizer", tmp_path / "data" / "tokenizer")
    vectors = np.random.default_rng(0).standard_normal((49_408, 16), np.float32)
    np.savez(tmp_path / "data" / "word_vectors.npz", vectors=vectors)
    return tmp_path / "data"


def test_the_toy_recipe_trains_exports_and_draws(
    things: Things, data: Path, tmp_path: Path
) -> None:
    run, target = tmp_path / "run", tmp_path / "pocket"
    train_vae(things, TOY, run)
    encoded = encode_things(load_trained_vae(TOY, run, 64), things)
    save_latents(run / "latents.pt", encoded)
    untrained = build_model(things, TOY, data, 8)
    batches = Batches(things, encoded.latents, untrained, TOY)
    train_text(encoded.latents, untrained, batches, TOY, run)
    train_diffusion(untrained, batches, TOY, run)

    model, facts = load_trained_model(build_model(things, TOY, data, 8), TOY, run)
    assert facts["step"] > 0
    vae = balanced(load_trained_vae(TOY, run, 64), load_latents(run / "latents.pt"))
    export_pipeline(model, vae, TOY, things, target, model.vocabulary.tokenizer)

    pipeline = load_pipeline(target)
    assert len(pipeline.tokenizer) == 49_408
    assert pipeline.vae.config.scaling_factor == pytest.approx(encoded.scaling_factor, rel=1e-4)
    pictures = draw(pipeline, ["a fox on a blue background", "axolotl"], num_inference_steps=2)
    assert pictures.shape == (2, 3, 64, 64)
    assert pictures.isfinite().all()


def test_balancing_changes_latents_and_not_pictures(things: Things, tmp_path: Path) -> None:
    train_vae(things, TOY, tmp_path)
    vae = load_trained_vae(TOY, tmp_path, 64)
    pictures = composite(things.pictures, torch.full((4, 3), 0.5))
    with torch.inference_mode():
        before = vae.decode(vae.encode(pictures).latent_dist.mode()).sample
    balanced(vae, encode_things(vae, things))
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
