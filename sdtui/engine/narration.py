"""The lesson told in events: what the core makes, as the wire carries it.

The worker sends these events; a program that drives the core in its own process uses them alike.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import torch

from sdtui.diffusion.components import (
    ComponentEnd,
    ComponentStart,
    LoadedComponents,
    LoadingProgress,
)
from sdtui.diffusion.decode import DecodedImage
from sdtui.diffusion.denoise import DenoisingStep
from sdtui.diffusion.devices import dtype_name, memory_in_use
from sdtui.diffusion.guidance import Guidance
from sdtui.diffusion.hub import DownloadProgress
from sdtui.diffusion.latents import InitialLatents
from sdtui.diffusion.memory import free_memory, is_out_of_memory
from sdtui.diffusion.pipeline import DenoisingStart, TokenizedPrompts, text_to_image
from sdtui.diffusion.preview import PreviewDecoder, PreviewFrame
from sdtui.diffusion.prompt import EncodedPrompts, TokenizedPrompt
from sdtui.diffusion.redaction import redact
from sdtui.engine.inbox import JobControl
from sdtui.errors import SdtuiError
from sdtui.params import GenerationParams
from sdtui.protocol.events import (
    ComponentLoaded,
    ComponentLoading,
    DenoisingStarted,
    DownloadProgressed,
    GuidanceAdjusted,
    ImageDecoded,
    JobCancelled,
    JobEvent,
    LatentsDrawn,
    LatentsFrame,
    LoadingEvent,
    ModelLoaded,
    PreviewReady,
    PromptEncoded,
    PromptTokenized,
    StepCompleted,
    Token,
    TokenizedText,
)

_ENFORCEMENT = re.compile(r"^\[enforce fail at [^]]*\][^.]*\. ")
"""Where in torch's sources an allocator gave up, ahead of what it says about it."""


def run_job(
    components: LoadedComponents,
    params: GenerationParams,
    job_id: str,
    control: JobControl,
    previews: PreviewDecoder | None = None,
) -> Iterator[JobEvent]:
    """Draw one picture and tell it, from `PromptTokenized` to `ImageDecoded`.

    `control` is looked at before each stage and step: a cancelled job ends with `JobCancelled`,
    another guidance scale counts from the next step on, and what is told before the first step is
    told of that scale. A preview is made every
    `params.preview_every` steps if `control.credit` has been granted, rarer where it would take too
    much of so short steps, and at the last step in any case, with x_t beside it where the credit
    asks for that; without `previews` there are none.
    Raises what the core raises.
    """
    stages = text_to_image(components, params)
    guidance: Guidance | None = None
    guidance_scale = params.guidance_scale
    step: DenoisingStep | None = None
    completed = count = 0
    while True:
        if control.cancelled:
            yield JobCancelled(job_id=job_id, completed=completed, count=count)
            return
        if guidance is None or completed < count:
            changed = control.take_guidance_scale()
            if changed is not None and changed != guidance_scale:
                guidance_scale = changed
                if guidance is not None:
                    guidance.guidance_scale = guidance_scale
                yield GuidanceAdjusted(
                    job_id=job_id, step_index=completed, guidance_scale=guidance_scale
                )
        started = time.perf_counter()
        stage = next(stages, None)
        match stage:
            case None:
                return
            case TokenizedPrompts():
                yield _tokenized(job_id, stage)
            case EncodedPrompts():
                yield _encoded(job_id, stage, guidance_scale)
            case InitialLatents():
                yield _drawn(job_id, stage)
            case DenoisingStart():
                guidance, count = stage.guidance, len(stage.schedule)
                guidance.guidance_scale = guidance_scale
                yield _denoising_started(job_id, stage)
            case DenoisingStep():
                step, completed = stage, stage.step_index + 1
                yield from _step_completed(job_id, stage, started, params, control, previews)
            case DecodedImage():
                # The VAE's usual cost is what previews are to be judged by.
                usual = not (stage.upcast or stage.tiled)
                if previews is not None and step is not None and usual:
                    previews.vae_decoded(step.latents, stage.seconds)
                yield _decoded(job_id, stage)


def loading_progressed(model: str, progress: LoadingProgress) -> LoadingEvent:
    """What `components.load` reports, as an event."""
    match progress:
        case DownloadProgress():
            return DownloadProgressed(
                model=model, file=progress.file, received=progress.received, total=progress.total
            )
        case ComponentStart():
            return ComponentLoading(
                model=model,
                component=progress.component,
                index=progress.index,
                count=progress.count,
            )
        case ComponentEnd():
            return ComponentLoaded(
                model=model,
                component=progress.component,
                index=progress.index,
                count=progress.count,
                class_name=progress.class_name,
                parameters=progress.parameters,
                size=progress.size,
                seconds=progress.seconds,
            )


def model_loaded(components: LoadedComponents) -> ModelLoaded:
    """All parts are there."""
    return ModelLoaded(
        model=components.model,
        device=str(components.device),
        device_name=components.device_name,
        dtype=dtype_name(components.dtype),
        parameters=components.parameters,
        size=components.size,
        memory=memory_in_use(components.device),
        seconds=components.seconds,
    )


def failure(error: Exception) -> tuple[str, str, str]:
    """Title, message and remedy of whatever stopped a job."""
    if isinstance(error, SdtuiError):
        return error.title, error.message, error.remedy
    if is_out_of_memory(error):
        return (
            "Not enough memory",
            _ENFORCEMENT.sub("", str(error).partition("\n")[0]),
            "Choose a smaller picture or model, or close other programs that use the device.",
        )
    return (
        "Something unexpected went wrong",
        redact(f"{type(error).__name__}: {error}"),
        "`sdtui engine logs` shows where it happened.",
    )


def _tokenized(job_id: str, prompts: TokenizedPrompts) -> PromptTokenized:
    return PromptTokenized(
        job_id=job_id,
        sequence_length=prompts.prompt.sequence_length,
        vocabulary=prompts.prompt.vocabulary,
        prompt=_tokenized_text(prompts.prompt),
        negative_prompt=_tokenized_text(prompts.negative_prompt),
    )


def _tokenized_text(prompt: TokenizedPrompt) -> TokenizedText:
    return TokenizedText(
        text=prompt.text,
        tokens=[Token(token_id, text) for token_id, text in prompt.tokens],
        padding=prompt.padding,
        pad_token_id=prompt.pad_token_id,
        cut=prompt.cut,
    )


def _encoded(job_id: str, embeds: EncodedPrompts, guidance_scale: float) -> PromptEncoded:
    shape = tuple(embeds.prompt_embeds.shape)
    halves = 2 if guidance_scale > 1 else 1
    return PromptEncoded(
        job_id=job_id,
        shape=shape,
        guided_shape=(halves, *shape[1:]),
        dtype=dtype_name(embeds.prompt_embeds.dtype),
        norm=embeds.norm,
        negative_norm=embeds.negative_norm,
        seconds=embeds.seconds,
    )


def _drawn(job_id: str, noise: InitialLatents) -> LatentsDrawn:
    latents = noise.latents.float()
    mean, std = torch.stack([latents.mean(), latents.std()]).tolist()
    return LatentsDrawn(
        job_id=job_id,
        seed=noise.seed,
        shape=tuple(latents.shape),
        dtype=dtype_name(noise.latents.dtype),
        mean=mean,
        std=std,
        init_noise_sigma=noise.init_noise_sigma,
        device=str(latents.device),
        memory=memory_in_use(latents.device),
    )


def _denoising_started(job_id: str, start: DenoisingStart) -> DenoisingStarted:
    return DenoisingStarted(
        job_id=job_id,
        scheduler=start.schedule.name,
        prediction_type=start.schedule.prediction_type,
        guidance_scale=start.guidance.guidance_scale,
        timesteps=start.schedule.timesteps.tolist(),
        sigmas=start.schedule.sigmas.tolist(),
    )


def _step_completed(
    job_id: str,
    step: DenoisingStep,
    started: float,
    params: GenerationParams,
    control: JobControl,
    previews: PreviewDecoder | None,
) -> Iterator[JobEvent]:
    """The step, and its preview if one is due. Fetching the figures waits for the device."""
    figures = step.statistics
    step.check_numbers()
    seconds = time.perf_counter() - started
    frame: PreviewFrame | None = None
    latents: PreviewFrame | None = None
    if previews is not None and _preview_is_due(step, seconds, params, control, previews):
        frame, latents = _preview(step, seconds, params, control, previews)
    yield StepCompleted(
        job_id=job_id,
        step_index=step.step_index,
        count=step.count,
        timestep=step.timestep,
        sigma=step.sigma,
        latents_mean=figures.latents_mean,
        latents_std=figures.latents_std,
        guidance_scale=step.guidance_scale,
        guidance_norm=figures.guidance_norm,
        seconds=seconds,
        preview_seconds=time.perf_counter() - started - seconds if frame else 0.0,
    )
    if frame is not None:
        yield PreviewReady(
            job_id=job_id,
            step_index=step.step_index,
            count=step.count,
            width=frame.width,
            height=frame.height,
            rgb=frame.rgb,
            latents=_latents_frame(latents) if latents else None,
        )


def _preview(
    step: DenoisingStep,
    seconds: float,
    params: GenerationParams,
    control: JobControl,
    previews: PreviewDecoder,
) -> tuple[PreviewFrame | None, PreviewFrame | None]:
    """x0, and x_t where it is wanted; where they find no memory, the credit counts later."""
    with_latents = control.credit.take_latents()
    try:
        return (
            previews.decode(
                step.denoised, seconds, params.preview_every, with_latents=with_latents
            ),
            previews.in_colours(step.latent_model_input) if with_latents else None,
        )
    except Exception as error:
        if not is_out_of_memory(error):
            raise
    free_memory()
    control.credit.grant(latents=with_latents)
    return None, None


def _latents_frame(frame: PreviewFrame) -> LatentsFrame:
    return LatentsFrame(width=frame.width, height=frame.height, rgb=frame.rgb)


def _preview_is_due(
    step: DenoisingStep,
    seconds: float,
    params: GenerationParams,
    control: JobControl,
    previews: PreviewDecoder,
) -> bool:
    """Whether this step, which took so many seconds, gets a preview; its credit is used up then."""
    if not params.preview_every:
        return False
    if step.step_index == step.count - 1:
        control.credit.take()
        return True
    every = previews.every(
        step.denoised, seconds, params.preview_every, with_latents=control.credit.wants_latents
    )
    return (step.step_index + 1) % every == 0 and control.credit.take()


def _decoded(job_id: str, decoded: DecodedImage) -> ImageDecoded:
    return ImageDecoded(
        job_id=job_id,
        width=decoded.image.width,
        height=decoded.image.height,
        rgb=decoded.image.tobytes(),
        seconds=decoded.seconds,
        upcast=decoded.upcast,
        tiled=decoded.tiled,
    )
