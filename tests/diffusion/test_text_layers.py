"""What the U-Net makes of the text: computed once a text, with the same bits."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from sdtui.diffusion.components import LoadedComponents
from sdtui.diffusion.text_layers import TextComputedOnce, text_layers

LATENTS = torch.randn((2, 4, 16, 16), generator=torch.Generator().manual_seed(1))
FOX, APPLE = torch.randn((2, 2, 77, 128), generator=torch.Generator().manual_seed(2))


@pytest.fixture
def predict(components: LoadedComponents) -> Callable[[torch.Tensor], torch.Tensor]:
    @torch.inference_mode()
    def predict(text: torch.Tensor) -> torch.Tensor:
        return components.unet(LATENTS, 500, encoder_hidden_states=text).sample

    return predict


def operations(work: Callable[[], object]) -> int:
    """Multiplications and additions of matrices that some work takes."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def test_the_second_step_leaves_out_what_the_text_alone_decides(
    components: LoadedComponents, predict: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    whole = operations(lambda: predict(FOX))
    of_the_text = operations(lambda: [layer(FOX) for layer in text_layers(components.unet)])
    text_computed_once = TextComputedOnce(components.unet)

    with text_computed_once:
        first = operations(lambda: predict(FOX))
    with text_computed_once:
        second = operations(lambda: predict(FOX))

    assert 0 < of_the_text < whole
    assert (first, second) == (whole, whole - of_the_text)


def test_each_text_gets_its_own_bits(
    components: LoadedComponents, predict: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    text_computed_once = TextComputedOnce(components.unet)
    for text in (FOX, FOX, APPLE, APPLE, FOX, FOX[1:].expand(2, -1, -1)):
        with text_computed_once:
            prediction = predict(text)

        assert torch.equal(prediction, predict(text))


def test_two_loops_may_take_turns(
    components: LoadedComponents, predict: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    loops = [(TextComputedOnce(components.unet), text) for text in (FOX, APPLE)]
    for text_computed_once, text in loops * 2:
        with text_computed_once:
            prediction = predict(text)

        assert torch.equal(prediction, predict(text))


def test_the_unet_is_itself_again_after_an_error(components: LoadedComponents) -> None:
    with pytest.raises(RuntimeError), TextComputedOnce(components.unet):
        raise RuntimeError

    assert not any("forward" in vars(layer) for layer in text_layers(components.unet))
