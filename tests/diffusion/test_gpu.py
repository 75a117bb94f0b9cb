"""What only a GPU can show. The suite skips these where there is none."""

from __future__ import annotations

import pytest
import torch

from sdtui.diffusion.components import LoadedComponents, load
from sdtui.diffusion.decode import decode
from sdtui.diffusion.devices import memory_in_use
from sdtui.diffusion.latents import draw_latents
from sdtui.diffusion.pipeline import text_to_image
from sdtui.diffusion.preview import PreviewDecoder
from sdtui.params import SCHEDULERS, GenerationParams
from tests.diffusion.oracle import final_latents, make_pipeline, pipeline_output
from tests.diffusion.overflow import overflowing

pytestmark = pytest.mark.gpu

PARAMS = GenerationParams(prompt="a red apple", num_inference_steps=5, width=128, height=128)


@pytest.fixture(scope="module")
def on_gpu() -> LoadedComponents:
    return load("pocket", device="auto", dtype="auto")


def test_auto_takes_the_gpu_in_float16(on_gpu: LoadedComponents) -> None:
    assert on_gpu.device.type in ("cuda", "mps")
    assert on_gpu.dtype == torch.float16
    assert {part.device.type for part in (on_gpu.unet, on_gpu.vae, on_gpu.text_encoder)} == {
        on_gpu.device.type
    }
    assert on_gpu.device_name


def test_the_memory_in_use_holds_the_weights(on_gpu: LoadedComponents) -> None:
    assert memory_in_use(on_gpu.device) >= on_gpu.size


def test_a_seed_is_the_same_noise_as_on_the_cpu(
    on_gpu: LoadedComponents, components: LoadedComponents
) -> None:
    here, there = (
        draw_latents(parts, width=128, height=128, seed=42, init_noise_sigma=1.0).latents
        for parts in (on_gpu, components)
    )

    assert torch.equal(here.cpu(), there.half())


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_the_latents_equal_the_pipelines_within_half_precision(
    on_gpu: LoadedComponents, scheduler: str
) -> None:
    params = GenerationParams(
        prompt="a red apple", scheduler=scheduler, num_inference_steps=5, width=128, height=128
    )
    expected = pipeline_output(make_pipeline(on_gpu), on_gpu, params, "latent")

    latents = final_latents(on_gpu, params)

    torch.testing.assert_close(latents, expected, rtol=2e-2, atol=2e-2)


def test_a_whole_picture_is_drawn_and_previewed(on_gpu: LoadedComponents) -> None:
    previews = PreviewDecoder(on_gpu.vae)
    *_, last_step, decoded = text_to_image(on_gpu, PARAMS)

    frame = previews.decode(last_step.denoised)

    assert decoded.image.size == (128, 128)
    assert len(frame.rgb) == frame.width * frame.height * 3
    assert torch.isfinite(last_step.denoised).all()


def test_an_overflowing_vae_is_run_again_in_float32(on_gpu: LoadedComponents) -> None:
    vae = overflowing(on_gpu.vae)
    latents = torch.randn((1, 4, 16, 16), generator=torch.Generator().manual_seed(5))

    decoded = decode(vae, latents.to(on_gpu.device, torch.float16))

    assert decoded.upcast
    assert len(set(decoded.image.tobytes())) > 1
    assert vae.dtype == torch.float16
