"""What guidance puts on top of a picture is seen through."""

from __future__ import annotations

from types import SimpleNamespace

import torch

from training.batches import Batch
from training.config import RECIPES
from training.diffusion import LARGEST_GAP, velocity_loss
from training.guided import (
    EXCESS_SHARE,
    HEARD_FROM,
    LARGEST_EXCESS,
    draw_excess,
    mislead,
    see_through,
)
from training.schedule import NUM_TRAIN_TIMESTEPS, add_noise, alphas_cumprod

SIGNAL = alphas_cumprod()


class Recorder(torch.nn.Module):
    """Stands for both networks: knows the picture, and remembers what it was asked.

    A caption's embeddings are its first id everywhere. Only where the caption is the picture's own
    number is the picture found.
    """

    def __init__(self, pictures: torch.Tensor) -> None:
        super().__init__()
        self.pictures = pictures
        self.asked: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []

    def text_encoder(self, input_ids: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(last_hidden_state=input_ids[:, :, None].float().expand(-1, -1, 8))

    def unet(
        self, noisy: torch.Tensor, timesteps: torch.Tensor, prompt_embeds: torch.Tensor
    ) -> SimpleNamespace:
        self.asked.append((noisy, timesteps, prompt_embeds[:, 0, 0]))
        signal = SIGNAL[timesteps].view(-1, 1, 1, 1)
        velocity = (signal.sqrt() * noisy - self.pictures) / (1 - signal).sqrt()
        # Without the caption, the picture is thought to be brighter than it is.
        known = (prompt_embeds[:, 0, 0] == torch.arange(len(noisy))).view(-1, 1, 1, 1)
        return SimpleNamespace(sample=velocity - ~known * signal.sqrt())


def ask(count: int = 4000) -> tuple[Recorder, torch.Tensor]:
    """What the networks are asked in one step, and the loss."""
    torch.manual_seed(0)
    pictures = torch.randn(count, 4, 2, 2)
    recorder = Recorder(pictures)
    input_ids, empty = torch.arange(count)[:, None].expand(-1, 77), torch.full((1, 77), -1)
    recipe = RECIPES["toy"].diffusion
    batch = Batch(input_ids, pictures, torch.ones(count, 1, 2, 2))
    return recorder, velocity_loss(recorder, batch, empty, recipe, SIGNAL)  # type: ignore[arg-type]


def test_a_caption_is_seen_with_much_noise_and_then_with_less() -> None:
    recorder, _ = ask()
    (_, first, _), (_, without, _), (_, second, _) = recorder.asked
    gaps = first - second
    assert torch.equal(first, without)
    assert gaps.min() == 0
    assert LARGEST_GAP * 0.95 < gaps.max() <= LARGEST_GAP + 1
    assert gaps.float().median() < LARGEST_GAP / 3
    assert first.max() == NUM_TRAIN_TIMESTEPS - 1
    assert (first == 0).float().mean() < 0.005
    assert (second == 0).float().mean() < 0.005
    # One to each caption, of levels that lean towards noise.
    exponent = RECIPES["toy"].diffusion.timestep_exponent
    expected = (torch.arange(len(first)) / len(first)) ** exponent * NUM_TRAIN_TIMESTEPS
    assert (first - expected).abs().max() < 15


def test_captions_are_dropped_at_both_levels_and_mislead_where_noise_is_low() -> None:
    recorder, _ = ask()
    levels = recorder.asked
    own = torch.arange(len(levels[0][0]))
    assert (levels[1][2] == -1).all()
    for _, timesteps, told in (levels[0], levels[2]):
        sigma = ((1 - SIGNAL[timesteps]) / SIGNAL[timesteps]).sqrt()
        dropped = told == -1
        assert abs(dropped.float().mean() - 0.1) < 0.02
        assert torch.equal((told == own)[~dropped], (sigma >= HEARD_FROM)[~dropped])


def test_the_second_level_has_an_excess_where_the_prompt_makes_a_difference() -> None:
    recorder, _ = ask()
    (_, _, told), _, (noisy, second, _) = recorder.asked
    signal = SIGNAL[second].view(-1, 1, 1, 1)
    clean = noisy - signal.sqrt() * recorder.pictures
    heard_first = told == torch.arange(len(told))
    spread = (clean / (1 - signal).sqrt()).mean((1, 2, 3))
    assert spread[~heard_first].std() < 0.3
    assert spread[heard_first].mean() < -0.3


def test_who_knows_the_picture_loses_nothing() -> None:
    torch.manual_seed(0)
    recorder, loss = ask()
    recorder.asked.clear()
    assert loss > 0.01
    recorder.unet = lambda noisy, timesteps, _: SimpleNamespace(  # type: ignore[method-assign]
        sample=(SIGNAL[timesteps].view(-1, 1, 1, 1).sqrt() * noisy - recorder.pictures)
        / (1 - SIGNAL[timesteps]).view(-1, 1, 1, 1).sqrt()
    )
    input_ids = torch.zeros(len(recorder.pictures), 77, dtype=torch.long)
    recipe = RECIPES["toy"].diffusion
    batch = Batch(input_ids, recorder.pictures, torch.ones(len(input_ids), 1, 2, 2))
    loss = velocity_loss(recorder, batch, input_ids[:1], recipe, SIGNAL)  # type: ignore[arg-type]
    assert loss < 1e-6


def test_captions_mislead_where_the_picture_can_be_seen() -> None:
    sigmas = torch.tensor([0.1, HEARD_FROM * 0.99, HEARD_FROM * 1.01, 50.0])
    captions = torch.arange(4.0).view(4, 1, 1).expand(-1, 77, 8)
    given = mislead(captions, 1 / (1 + sigmas**2))[:, 0, 0]
    assert given.tolist() == [3, 0, 2, 3]


def test_some_pictures_have_an_excess_of_any_size() -> None:
    torch.manual_seed(0)
    signal = SIGNAL[500].expand(2000)
    excess = draw_excess(torch.ones(2000, 4, 2, 2), signal)[:, 0, 0, 0]
    # With less velocity, there is more of the picture.
    sizes = -excess / (1 - signal).sqrt()
    assert abs((sizes > 0).float().mean() - EXCESS_SHARE) < 0.05
    assert LARGEST_EXCESS * 0.95 < sizes.max() <= LARGEST_EXCESS
    assert sizes.min() == 0


def test_the_excess_is_what_guidance_adds() -> None:
    torch.manual_seed(0)
    signal, difference = SIGNAL[[500, 900]], torch.randn(2, 4, 2, 2)
    noisy, without = torch.randn(2, 2, 4, 2, 2)
    alpha, sigma = (part.sqrt().view(-1, 1, 1, 1) for part in (signal, 1 - signal))

    def picture(velocity: torch.Tensor) -> torch.Tensor:
        return alpha * noisy - sigma * velocity

    drawn = draw_excess(difference, signal)
    scale = (drawn / (picture(without + difference) - picture(without))).mean((1, 2, 3)) + 1
    guided = without + scale.view(-1, 1, 1, 1) * difference
    torch.testing.assert_close(
        picture(guided), picture(without + difference) + drawn, atol=1e-5, rtol=1e-4
    )
    assert (scale > 1).any()
    assert (scale <= 1 + LARGEST_EXCESS).all()


def test_the_velocity_leads_to_the_picture_whatever_lies_on_top() -> None:
    torch.manual_seed(0)
    timesteps = torch.arange(0, 900, 10)
    signal, picture = SIGNAL[timesteps], torch.randn(90, 4, 2, 2)
    noise = torch.randn_like(picture)
    noisy, velocity = add_noise(picture, noise, signal)
    excess = draw_excess(torch.randn_like(picture), signal)
    seen, wanted, weights = see_through(noisy, velocity, excess, signal)

    alpha, sigma = (part.sqrt().view(-1, 1, 1, 1) for part in (signal, 1 - signal))
    torch.testing.assert_close(seen, alpha * (picture + excess) + sigma * noise)
    torch.testing.assert_close(alpha * seen - sigma * wanted, picture, atol=1e-4, rtol=1e-4)
    plain = excess[:, 0, 0, 0] == 0
    assert plain.any()
    assert (~plain).any()
    assert torch.equal(weights[plain], torch.ones_like(weights[plain]))
    assert (weights[~plain] < 1).all()
    assert torch.equal(wanted[plain], velocity[plain])
