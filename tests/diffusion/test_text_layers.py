"""What the U-Net makes of the text: computed once a text, with the same bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from torch.utils.flop_counter import FlopCounterMode

from sdtui.diffusion.components import LoadedComponents
from sdtui.diffusion.denoise import DenoisingStep, denoise
from sdtui.diffusion.guidance import Guidance
from sdtui.diffusion.schedulers import make_schedule
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


def test_a_loop_computes_them_once_and_lets_another_take_turns_with_it(
    components: LoadedComponents,
) -> None:
    def loop(text: torch.Tensor) -> Iterator[DenoisingStep]:
        schedule = make_schedule("Euler", components.scheduler_config, 3)
        guidance = Guidance(text[1:], text[:1], 4.0)
        generator = torch.Generator().manual_seed(1)
        return denoise(components.unet, schedule, LATENTS[:1], guidance, generator)

    alone = [list(loop(text))[-1].latents for text in (FOX, APPLE)]
    fox, apple = loop(FOX), loop(APPLE)
    costs = [[operations(lambda turn=turn: next(turn)) for turn in (fox, apple)] for _ in range(2)]

    of_the_text = operations(lambda: [layer(FOX) for layer in text_layers(components.unet)])
    (first, also_first), (second, also_second) = costs
    assert first == also_first == second + of_the_text == also_second + of_the_text
    assert torch.equal(next(fox).latents, alone[0])
    assert torch.equal(next(apple).latents, alone[1])


def test_the_unet_is_itself_again_after_an_error(components: LoadedComponents) -> None:
    layers = text_layers(components.unet)
    hooked = layers[0].forward
    layers[0].forward = hooked
    with pytest.raises(RuntimeError), TextComputedOnce(components.unet):
        raise RuntimeError

    assert vars(layers[0]).pop("forward") is hooked
    assert not any("forward" in vars(layer) for layer in layers)


def test_projections_that_take_the_picture_are_not_of_the_text() -> None:
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32,),
        layers_per_block=1,
        down_block_types=("SimpleCrossAttnDownBlock2D",),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=("SimpleCrossAttnUpBlock2D",),
        cross_attention_dim=16,
    )

    assert any(isinstance(module, Attention) for module in unet.modules())
    assert text_layers(unet) == []
