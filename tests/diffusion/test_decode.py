"""Latents become a picture, and never a black one."""

from __future__ import annotations

import copy

import pytest
import torch
from PIL import ImageChops, ImageStat

from sdtui.diffusion.components import LoadedComponents
from sdtui.diffusion.decode import decode
from sdtui.errors import GenerationError
from tests.diffusion.overflow import overflowing

LATENTS = torch.randn((1, 4, 8, 12), generator=torch.Generator().manual_seed(5))


def test_a_picture_has_eight_pixels_to_a_latent(components: LoadedComponents) -> None:
    decoded = decode(components.vae, LATENTS)

    assert decoded.image.size == (96, 64)
    assert decoded.image.mode == "RGB"
    assert not decoded.upcast


def test_a_half_precision_overflow_is_noticed_and_decoded_in_float32(
    components: LoadedComponents,
) -> None:
    vae = overflowing(components.vae)
    in_float32 = copy.deepcopy(vae).to(torch.float32)

    decoded = decode(vae, LATENTS.half())

    assert decoded.upcast
    assert decoded.image.tobytes() == decode(in_float32, LATENTS.half().float()).image.tobytes()
    assert len(set(decoded.image.tobytes())) > 1
    assert vae.dtype == torch.float16


def test_a_vae_for_whose_float32_there_is_no_room_comes_back_in_half_precision(
    components: LoadedComponents, monkeypatch: pytest.MonkeyPatch
) -> None:
    vae = overflowing(components.vae)
    apply = vae.decoder._apply
    calls: list[int] = []

    def narrow(*arguments: object) -> torch.nn.Module:
        calls.append(1)
        if len(calls) == 1:
            torch.empty(1 << 46)
        return apply(*arguments)

    # The encoder's weights come before the decoder's.
    monkeypatch.setattr(vae.decoder, "_apply", narrow)
    decoded = decode(vae, LATENTS.half())

    assert (decoded.upcast, decoded.tiled) == (True, True)
    assert {weight.dtype for weight in vae.parameters()} == {torch.float16}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_latents_that_overflowed_are_an_error_with_a_remedy(
    components: LoadedComponents, value: float
) -> None:
    latents = LATENTS.clone()
    latents[0, 0, 0, 0] = value

    with pytest.raises(GenerationError) as caught:
        decode(components.vae, latents)

    assert "guidance" in caught.value.remedy


def test_damaged_weights_are_an_error_and_not_a_black_picture(
    components: LoadedComponents,
) -> None:
    vae = copy.deepcopy(components.vae)
    with torch.no_grad():
        vae.decoder.conv_out.bias.fill_(float("nan"))

    with pytest.raises(GenerationError, match="damaged"):
        decode(vae, LATENTS)


def test_a_picture_that_does_not_fit_memory_is_decoded_in_tiles_that_do(
    components: LoadedComponents, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    forward = type(components.vae.decoder).forward

    def narrow(decoder: torch.nn.Module, sample: torch.Tensor, *others: object) -> torch.Tensor:
        sizes.append(sample[0, 0].numel())
        if sizes[-1] > 64:
            torch.empty(1 << 46)
        return forward(decoder, sample, *others)

    monkeypatch.setattr(type(components.vae.decoder), "forward", narrow)
    decoded = decode(components.vae, LATENTS)
    monkeypatch.undo()
    whole = decode(components.vae, LATENTS)

    assert (decoded.tiled, whole.tiled) == (True, False)
    assert (decoded.image.size, whole.image.size) == ((96, 64), (96, 64))
    assert sizes[0] == 96
    assert max(sizes[1:]) == 64
    difference = ImageChops.difference(decoded.image, whole.image)
    assert sum(ImageStat.Stat(difference).mean) / 3 < 20


def test_what_is_not_about_memory_is_raised_as_it_is(
    components: LoadedComponents, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(type(components.vae.decoder), "forward", broken)
    with pytest.raises(RuntimeError, match="a defect"):
        decode(components.vae, LATENTS)
    assert not components.vae.use_tiling
