"""Small pictures of the x0 estimate."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL

from sdtui.diffusion import preview
from sdtui.diffusion.components import LoadedComponents
from sdtui.diffusion.denoise import DenoisingStep
from sdtui.diffusion.pipeline import text_to_image
from sdtui.diffusion.preview import PREVIEW_SHARE, PreviewDecoder, is_sd_1_vae, latent_to_rgb
from sdtui.params import GenerationParams
from tests.diffusion.overflow import overflowing

LATENTS = torch.randn((1, 4, 8, 12), generator=torch.Generator().manual_seed(5))


@pytest.fixture
def previews(components: LoadedComponents) -> PreviewDecoder:
    return PreviewDecoder(components.vae)


def test_the_linear_map_gives_a_pixel_for_each_latent(previews: PreviewDecoder) -> None:
    frame = previews.decode(LATENTS)

    assert (frame.width, frame.height, frame.method) == (12, 8, "linear")
    assert len(frame.rgb) == 12 * 8 * 3


def test_the_fitted_map_shows_the_colours_that_the_vae_decodes(
    components: LoadedComponents, previews: PreviewDecoder
) -> None:
    """On plain colours, whose latents a U-Net would arrive at."""
    colours = torch.tensor(
        [[0.8, -0.6, -0.6], [-0.6, 0.6, -0.6], [-0.5, -0.5, 0.8], [0.9, 0.9, 0.9]]
    )
    pictures = colours[:, :, None, None].expand(-1, 3, 64, 64).contiguous()
    with torch.inference_mode():
        latents = components.vae.encode(pictures).latent_dist.mean
        decoded = components.vae.decode(latents).sample
    scaled = latents * components.vae.config.scaling_factor

    for picture, latent in zip(decoded, scaled, strict=True):
        frame = previews.decode(latent[None])
        pixels = np.frombuffer(frame.rgb, np.uint8).reshape(8, 8, 3).mean(axis=(0, 1))
        expected = ((picture.mean(dim=(1, 2)) / 2 + 0.5).clamp(0, 1) * 255).numpy()
        assert np.abs(pixels - expected).max() < 40


@pytest.mark.parametrize("prompt", ["a red apple", "a fox on a blue background"])
def test_the_fitted_map_comes_near_the_best_one_for_a_picture(
    components: LoadedComponents, previews: PreviewDecoder, prompt: str
) -> None:
    stages = list(text_to_image(components, GenerationParams(prompt=prompt, seed=42)))
    latents = [stage.latents for stage in stages if isinstance(stage, DenoisingStep)][-1]
    with torch.inference_mode():
        decoded = components.vae.decode(latents / components.vae.config.scaling_factor).sample
    wanted = torch.nn.functional.adaptive_avg_pool2d(decoded.clamp(-1, 1) * 127.5 + 127.5, 16)

    frame = previews.decode(latents)
    shown = torch.frombuffer(bytearray(frame.rgb), dtype=torch.uint8).float().view(16, 16, 3)
    inputs = torch.cat([latents, torch.ones_like(latents[:, :1])], 1)[0].flatten(1).T
    targets = wanted[0].flatten(1).T
    best = inputs @ torch.linalg.lstsq(inputs, targets).solution

    def error(colours: torch.Tensor) -> float:
        return (colours.clamp(0, 255) - targets).square().mean().sqrt().item()

    assert frame.method == "linear"
    assert error(shown.view(-1, 3)) < 1.75 * error(best)


def test_latents_are_drawn_by_the_linear_map_whatever_draws_the_picture(
    previews: PreviewDecoder,
) -> None:
    previews.vae_decoded(LATENTS, 0.0)
    picture, latents = previews.decode(LATENTS, 1.0), previews.in_colours(LATENTS)

    assert (picture.method, latents.method) == ("vae", "linear")
    assert (latents.width, latents.height) == (12, 8)
    assert len(latents.rgb) == 12 * 8 * 3


def test_the_published_factors_serve_stable_diffusion_1(components: LoadedComponents) -> None:
    with torch.device("meta"):
        vae = AutoencoderKL(
            block_out_channels=(128, 256, 512, 512),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
            latent_channels=4,
        )

    factors, bias = latent_to_rgb(vae.to_empty(device="cpu"))

    assert is_sd_1_vae(vae)
    assert not is_sd_1_vae(components.vae)
    assert factors[0].tolist() == pytest.approx([0.3512, 0.2297, 0.3227])
    assert bias.tolist() == [0, 0, 0]


def test_the_vae_draws_previews_once_it_is_known_to_fit_its_share(previews: PreviewDecoder) -> None:
    step_seconds = 1.0

    assert previews.decode(LATENTS, step_seconds, 10).method == "linear"
    previews.vae_decoded(LATENTS, seconds=10 * PREVIEW_SHARE * step_seconds)

    assert previews.decode(LATENTS, step_seconds, 9).method == "linear"
    frame = previews.decode(LATENTS, step_seconds, 10)
    assert (frame.width, frame.height, frame.method) == (96, 64, "vae")


class Clock:
    """Every drawing takes `seconds`, as it looks at the clock twice."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._now = 0.0

    def __call__(self) -> float:
        """The time."""
        self._now += self.seconds
        return self._now


@pytest.fixture
def warm_previews(components: LoadedComponents) -> Callable[[float], PreviewDecoder]:
    """A decoder that takes so many seconds for each drawing, and knows it."""

    def of(seconds: float) -> PreviewDecoder:
        previews = PreviewDecoder(components.vae, Clock(seconds))
        previews.in_colours(LATENTS)
        previews.in_colours(LATENTS)
        return previews

    return of


@pytest.mark.parametrize("with_latents", [False, True])
@pytest.mark.parametrize("preview_every", [1, 5])
@pytest.mark.parametrize("drawing_seconds", [0.0001, 0.0006, 0.0015, 0.03])
def test_x0_and_x_t_together_take_no_more_than_the_share(
    warm_previews: Callable[[float], PreviewDecoder],
    drawing_seconds: float,
    preview_every: int,
    with_latents: bool,
) -> None:
    previews, step_seconds, count = warm_previews(drawing_seconds), 0.05, 600
    every = previews.every(LATENTS, step_seconds, preview_every, with_latents=with_latents)

    taken = count // every * drawing_seconds * (2 if with_latents else 1)
    assert taken <= PREVIEW_SHARE * step_seconds * count
    assert every % preview_every == 0
    # And no rarer than that: the next smaller multiple is too much.
    if every > preview_every:
        oftener = taken * every / (every - preview_every)
        assert oftener > PREVIEW_SHARE * step_seconds * count * 0.98


def test_the_vae_leaves_time_for_x_t(
    warm_previews: Callable[[float], PreviewDecoder],
) -> None:
    previews, step_seconds = warm_previews(0.004), 1.0
    previews.vae_decoded(LATENTS, seconds=0.017)

    assert previews.method(LATENTS, step_seconds, 1) == "vae"
    assert previews.method(LATENTS, step_seconds, 1, with_latents=True) == "linear"
    assert previews.method(LATENTS, 1.1, 1, with_latents=True) == "vae"
    assert previews.decode(LATENTS, 1.1, 1, with_latents=True).method == "vae"
    assert previews.every(LATENTS, step_seconds, 1, with_latents=True) == 1


def test_the_first_drawing_of_a_size_only_warms_up(components: LoadedComponents) -> None:
    clock = Clock(10.0)
    previews = PreviewDecoder(components.vae, clock)
    previews.in_colours(LATENTS)
    assert previews.every(LATENTS, 0.05, 1) == 1

    clock.seconds = 0.002
    previews.in_colours(LATENTS)
    assert previews.every(LATENTS, 0.05, 1) == 2
    clock.seconds = 10.0
    previews.in_colours(LATENTS)
    assert previews.every(LATENTS, 0.05, 1) == 2
    assert previews.every(torch.zeros((1, 4, 16, 16)), 0.05, 1) == 1


def test_the_vaes_cost_grows_with_the_picture(previews: PreviewDecoder) -> None:
    previews.vae_decoded(LATENTS, seconds=PREVIEW_SHARE)
    four_times = torch.nn.functional.interpolate(LATENTS, scale_factor=2)

    assert previews.method(LATENTS, 1.0, 1) == "vae"
    assert previews.method(four_times, 3.9, 1) == "linear"
    assert previews.method(four_times, 4.1, 1) == "vae"


def test_a_large_frame_of_the_vae_is_averaged_down(previews: PreviewDecoder) -> None:
    previews.vae_decoded(LATENTS, seconds=0.0)
    latents = torch.zeros((1, 4, 40, 8))

    frame = previews.decode(latents, 1.0)

    assert (frame.width, frame.height) == (32, 160)
    assert len(frame.rgb) == 32 * 160 * 3


def test_a_frame_for_which_the_vae_finds_no_memory_is_drawn_in_colours_and_so_are_the_next_ones(
    components: LoadedComponents, previews: PreviewDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    previews.in_colours(LATENTS)
    previews.vae_decoded(LATENTS, seconds=0.0)
    sizes: list[int] = []
    forward = type(components.vae.decoder).forward

    def narrow(decoder: torch.nn.Module, sample: torch.Tensor, *others: object) -> torch.Tensor:
        sizes.append(sample[0, 0].numel())
        if sizes[-1] >= 96:
            torch.empty(1 << 46)
        return forward(decoder, sample, *others)

    monkeypatch.setattr(type(components.vae.decoder), "forward", narrow)
    latents = [LATENTS, LATENTS, torch.zeros((1, 4, 16, 16)), LATENTS[..., :8]]
    methods = [previews.decode(one, 1.0).method for one in latents]

    assert methods == ["linear", "linear", "linear", "vae"]
    assert sizes == [96, 64]


def test_what_is_not_about_memory_ends_a_frame_of_the_vae(
    components: LoadedComponents, previews: PreviewDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    previews.vae_decoded(LATENTS, seconds=0.0)

    def broken(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(type(components.vae.decoder), "forward", broken)
    with pytest.raises(RuntimeError, match="a defect"):
        previews.decode(LATENTS, 1.0)


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_a_device_without_memory_for_the_fitting_leaves_it_to_the_cpu_if_that_is_another_one(
    components: LoadedComponents, monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    usual = latent_to_rgb(components.vae)
    fit = preview.fit_latent_to_rgb
    fitted = []

    def narrow(vae: AutoencoderKL) -> tuple[torch.Tensor, torch.Tensor]:
        if vae is components.vae:
            torch.empty(1 << 46)
        fitted.append(fit(vae))
        return fitted[-1]

    monkeypatch.setattr(preview, "fit_latent_to_rgb", narrow)
    where = property(lambda vae: torch.device(device if vae is components.vae else "cpu"))
    monkeypatch.setattr(AutoencoderKL, "device", where)
    if device == "cpu":
        with pytest.raises(RuntimeError, match="memory"):
            latent_to_rgb(components.vae)
        assert not fitted
    else:
        moved = latent_to_rgb(components.vae)
        torch.testing.assert_close(fitted[0], usual, rtol=1e-3, atol=1e-3)
        assert {part.device.type for part in moved} == {device}


def test_latents_that_find_no_memory_on_their_way_to_the_vae_are_drawn_in_colours(
    components: LoadedComponents, previews: PreviewDecoder
) -> None:
    previews.vae_decoded(LATENTS, seconds=0.0)

    class Narrow(torch.Tensor):
        """Are not to be had in the precision of the VAE."""

        def to(self, dtype: torch.dtype) -> torch.Tensor:
            return torch.empty(1 << 46) if dtype == components.vae.dtype else super().to(dtype)

    assert previews.decode(LATENTS.as_subclass(Narrow), 1.0).method == "linear"


def test_a_vae_that_overflows_in_half_precision_is_fitted_all_the_same(
    components: LoadedComponents,
) -> None:
    vae = overflowing(components.vae)

    frame = PreviewDecoder(vae).decode(LATENTS.half())

    assert len(set(frame.rgb)) > 2
    assert vae.dtype == torch.float16


def test_a_damaged_vae_is_left_to_the_decoding(components: LoadedComponents) -> None:
    vae = copy.deepcopy(components.vae)
    with torch.no_grad():
        vae.decoder.conv_out.bias.fill_(float("nan"))
        vae.encoder.conv_out.bias.fill_(float("inf"))

    assert len(PreviewDecoder(vae).decode(LATENTS).rgb) == 12 * 8 * 3


def test_nothing_is_fitted_before_the_first_preview_and_only_then(
    components: LoadedComponents, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[object] = []

    def fit(vae: AutoencoderKL) -> tuple[torch.Tensor, torch.Tensor]:
        fitted.append(vae)
        return latent_to_rgb(vae)

    monkeypatch.setattr(preview, "latent_to_rgb", fit)
    previews = PreviewDecoder(components.vae)
    previews.vae_decoded(LATENTS, 0.01)
    assert not fitted
    previews.decode(LATENTS)
    previews.decode(LATENTS)
    assert fitted == [components.vae]


def test_an_estimate_that_overflowed_is_still_a_frame(previews: PreviewDecoder) -> None:
    latents = LATENTS.clone()
    latents[0, 0] = float("nan")

    assert len(previews.decode(latents).rgb) == 12 * 8 * 3
