"""The readable whole: a prompt becomes a picture, in the order of the lesson."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sdtui.diffusion.components import LoadedComponents
from sdtui.diffusion.decode import DecodedImage, decode
from sdtui.diffusion.denoise import DenoisingStep, denoise
from sdtui.diffusion.guidance import Guidance
from sdtui.diffusion.latents import InitialLatents, draw_latents
from sdtui.diffusion.prompt import EncodedPrompts, TokenizedPrompt, encode, tokenize
from sdtui.diffusion.schedulers import Schedule, make_schedule
from sdtui.params import GenerationParams


@dataclass(frozen=True)
class TokenizedPrompts:
    """Stage 1: both prompts as ids."""

    prompt: TokenizedPrompt
    negative_prompt: TokenizedPrompt


@dataclass(frozen=True)
class DenoisingStart:
    """Stage 4 begins. Changing `guidance` changes the steps that follow."""

    schedule: Schedule
    guidance: Guidance


Stage = (
    TokenizedPrompts
    | EncodedPrompts
    | InitialLatents
    | DenoisingStart
    | DenoisingStep
    | DecodedImage
)


def text_to_image(components: LoadedComponents, params: GenerationParams) -> Iterator[Stage]:
    """Draw one picture, yielding what each stage made as soon as it is there.

    The stages come as `TokenizedPrompts`, `EncodedPrompts`, `InitialLatents`, `DenoisingStart`,
    one `DenoisingStep` a call of the U-Net, `DecodedImage`. Closing the generator cancels.
    Raises `ModelError` when the scheduler does not suit the model, `GenerationError` when the
    numbers overflow.
    """
    prompt = tokenize(components.tokenizer, params.prompt)
    negative_prompt = tokenize(components.tokenizer, params.negative_prompt)
    yield TokenizedPrompts(prompt, negative_prompt)

    embeds = encode(components.text_encoder, prompt, negative_prompt)
    yield embeds

    schedule = make_schedule(
        params.scheduler, components.scheduler_config, params.num_inference_steps
    )
    noise = draw_latents(
        components,
        width=params.width,
        height=params.height,
        seed=params.seed,
        init_noise_sigma=schedule.scheduler.init_noise_sigma,
    )
    yield noise

    guidance = Guidance(embeds.prompt_embeds, embeds.negative_prompt_embeds, params.guidance_scale)
    yield DenoisingStart(schedule, guidance)

    latents = noise.latents
    for step in denoise(components.unet, schedule, latents, guidance, noise.generator):
        latents = step.latents
        yield step

    yield decode(components.vae, latents)
