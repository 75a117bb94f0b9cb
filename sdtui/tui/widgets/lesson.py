"""The lesson that the log tells: each event as a few lines, and a sentence on what it means.

Everything here is text in, lines out: `Lesson.tell` turns events, in their order, into rich `Text`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.text import Text

from sdtui.params import GenerationParams
from sdtui.protocol.events import (
    ComponentLoaded,
    DenoisingStarted,
    Event,
    GuidanceAdjusted,
    ImageDecoded,
    JobCancelled,
    JobFailed,
    JobInterrupted,
    JobSaved,
    JobStarted,
    LatentsDrawn,
    ModelFailed,
    ModelLoaded,
    PromptEncoded,
    PromptTokenized,
    SavingDelayed,
    StepCompleted,
    TokenizedText,
)
from sdtui.text import clean
from sdtui.tui import figures
from sdtui.tui.widgets.lesson_page import LessonPage

LONGEST_TOKEN_LIST = 16
_HEAD, _TAIL = 10, 3
_END_OF_WORD = "</w>"


@dataclass
class Lesson:
    """Tells one job after another, on a `page`."""

    page: LessonPage
    _params: GenerationParams | None = None
    _last_sigma: float = field(default=0.0)
    _steps: int = 0

    def tell(self, event: Event) -> list[Text]:
        """The lines of one event; none for an event that the lesson passes over."""
        match event:
            case ComponentLoaded():
                return self._component(event)
            case ModelLoaded():
                return self._model(event)
            case JobStarted(params=params):
                self._params = params
                return self._job(params)
            case PromptTokenized():
                return self._tokens(event)
            case PromptEncoded():
                return self._embeddings(event)
            case LatentsDrawn():
                return self._latents(event)
            case DenoisingStarted():
                return self._denoising(event)
            case StepCompleted():
                return self._step(event)
            case GuidanceAdjusted(step_index=index, guidance_scale=scale):
                return [self.page.note(f"guidance {scale:g} from step {index + 1} on")]
            case ImageDecoded():
                return self._decoded(event)
            case JobSaved():
                return self._saved(event)
            case JobCancelled(completed=completed, count=count):
                where = f"at {completed}/{count}" if count else "before the first step"
                return [self.page.note(f"stopped {where}")]
            case SavingDelayed() | JobInterrupted() | JobFailed() | ModelFailed():
                return self._failed(event)
        return []

    # Before the stages -------------------------------------------------------------------------

    def _component(self, event: ComponentLoaded) -> list[Text]:
        size = figures.byte_size(event.size) if event.size else ""
        weights = figures.count(event.parameters) if event.parameters else ""
        return [
            self.page.line(
                (f"  {clean(event.component):<13}", "label"),
                (f"{weights:>8}", "value"),
                (f"{size:>9}", "value"),
                (f"{figures.duration(event.seconds):>8}", "unit"),
            )
        ]

    def _model(self, event: ModelLoaded) -> list[Text]:
        where = f"{event.device} {figures.dtype(event.dtype)}"
        lines = [
            self.page.row("model", event.model),
            self.page.row("device", where, event.device_name),
            self.page.row("memory", figures.byte_size(event.memory), "in use"),
        ]
        return [*lines, Text()]

    def _job(self, params: GenerationParams) -> list[Text]:
        plan = f"{params.scheduler}, {params.num_inference_steps} steps, seed {params.seed}"
        return [
            self.page.line((clean(params.prompt), "value")),
            self.page.line((f"{plan}, {params.width}×{params.height}", "unit")),
            Text(),
        ]

    # 1 tokens ----------------------------------------------------------------------------------

    def _tokens(self, event: PromptTokenized) -> list[Text]:
        prompt, negative = event.prompt, event.negative_prompt
        end = prompt.tokens[-1].id if prompt.tokens else prompt.pad_token_id
        pad = prompt.pad_token_id
        lines = [self.page.heading(1, "tokens", str(event.sequence_length))]
        lines += self._token_list(prompt)
        if negative.text:
            lines.append(self.page.line(("  negative prompt", "label")))
            lines += self._token_list(negative)
        else:
            used = len(negative.tokens)
            lines.append(
                self.page.row("negative", "empty", f"{used} used, {negative.padding} padding")
            )
        again = ", the end mark again," if pad == end else ""
        lines += self.page.explain(
            f"The text becomes ids of a vocabulary of {event.vocabulary:,}. The encoder was "
            f"trained on {event.sequence_length} places, so {pad}{again} fills the rest; what is "
            "longer is cut.",
            gap=True,
        )
        return lines

    def _token_list(self, text: TokenizedText) -> list[Text]:
        tokens = text.tokens
        folded = len(tokens) - _HEAD - _TAIL if len(tokens) > LONGEST_TOKEN_LIST else 0
        lines: list[Text] = []
        for place, token in enumerate(tokens):
            if folded and place == _HEAD:
                lines.append(self.page.line((f"{'…':>7} {folded} more …", "unit")))
            if folded and _HEAD <= place < len(tokens) - _TAIL:
                continue
            special = token.text.startswith("<|") and token.text.endswith("|>")
            goes_on = not special and not token.text.endswith(_END_OF_WORD)
            lines.append(
                self.page.line(
                    (f"{token.id:>7} ", "unit"),
                    (clean(token.text.removesuffix(_END_OF_WORD)), "label" if special else "value"),
                    ("-" if goes_on else "", "unit"),
                )
            )
        lines.append(
            self.page.line((f"{'…':>7} {len(tokens)} used, {text.padding} padding", "unit"))
        )
        if text.cut:
            lines += self.page.wrapped(f"  not seen: {clean(text.cut, limit=200)}", "error")
        return lines

    # 2 embeddings ------------------------------------------------------------------------------

    def _embeddings(self, event: PromptEncoded) -> list[Text]:
        guided = event.guided_shape != event.shape
        hidden = event.shape[-1]
        dtype = figures.dtype(event.dtype)
        lines = [
            self.page.heading(2, "embeddings", figures.duration(event.seconds)),
            self.page.row("prompt", figures.shape(event.shape), dtype),
            self.page.row("norm", f"{event.norm:.2f}", "prompt"),
        ]
        if guided:
            lines += [
                self.page.row("", f"{event.negative_norm:.2f}", "negative"),
                self.page.row("to U-Net", figures.shape(event.guided_shape), "both"),
            ]
            meaning = (
                "The batch has two halves, the negative prompt's and the prompt's: the U-Net "
                "answers both at once, and guidance pushes along the difference."
            )
        else:
            meaning = "Guidance of 1 or less needs no second half, so a step costs half as much."
        return [
            *lines,
            *self.page.explain(
                f"Each place is now {hidden} numbers that know the places before it."
            ),
            *self.page.explain(meaning, gap=True),
        ]

    # 3 latents ---------------------------------------------------------------------------------

    def _latents(self, event: LatentsDrawn) -> list[Text]:
        dtype = figures.dtype(event.dtype)
        lines = [
            self.page.heading(3, "latents", f"seed {event.seed}"),
            self.page.row("shape", figures.shape(event.shape), dtype),
            self.page.row("mean, std", f"{event.mean:.3f}, {event.std:.3f}"),
            self.page.row("init sigma", f"{event.init_noise_sigma:.3f}"),
            self.page.row(
                "device", clean(event.device), f"{figures.byte_size(event.memory)} in use"
            ),
        ]
        scale = ""
        if self._params is not None and event.shape[-1]:
            factor = self._params.width // event.shape[-1]
            scale = f" One latent stands for {factor}×{factor} pixels."
        return lines + self.page.explain(
            "Gaussian noise from the seed, drawn on the CPU, so that every device starts from the "
            f"same; init_noise_sigma scales it to what the scheduler expects.{scale}",
            gap=True,
        )

    # 4 denoising -------------------------------------------------------------------------------

    def _denoising(self, event: DenoisingStarted) -> list[Text]:
        self._steps = len(event.timesteps)
        self._last_sigma = event.sigmas[0] if event.sigmas else 0.0
        guess = {
            "epsilon": "the noise in the latents",
            "v_prediction": "a velocity, a mix of noise and picture",
            "sample": "the clean latents",
        }.get(event.prediction_type, clean(event.prediction_type))
        guidance = ""
        if event.guidance_scale > 1:
            guidance = (
                " ‖Δ‖ = ‖text − uncond‖ is how much the prompt changes the guess; guidance adds "
                f"that difference {event.guidance_scale:g} times."
            )
        lines = [
            self.page.heading(4, "denoising", f"{clean(event.scheduler)}, {self._steps} calls")
        ]
        lines += self.page.explain(
            f"At each timestep t the U-Net guesses {guess}. σ is noise over picture: far above 1 "
            f"there is only noise, at 0 none.{guidance}"
        )
        lines.append(self.page.columns("k/n", "t", "σ", "std", "‖Δ‖", "ms", "unit"))
        return lines

    def _step(self, event: StepCompleted) -> list[Text]:
        lines: list[Text] = []
        if self._last_sigma >= 1 > event.sigma and event.step_index:
            lines += self.page.explain("σ < 1: now more picture than noise")
        self._last_sigma = event.sigma
        norm = "" if event.guidance_norm is None else _decimals(event.guidance_norm)
        lines.append(
            self.page.columns(
                f"{event.step_index + 1}/{event.count}",
                f"{event.timestep:.0f}",
                _decimals(event.sigma),
                _decimals(event.latents_std),
                norm,
                f"{event.seconds * 1000:.0f}",
                "value",
            )
        )
        return lines

    # 5 decode and the end ----------------------------------------------------------------------

    def _decoded(self, event: ImageDecoded) -> list[Text]:
        lines = [
            Text(),
            self.page.heading(5, "decode", figures.duration(event.seconds)),
            self.page.row("picture", f"{event.width}×{event.height}", "RGB"),
        ]
        if event.upcast:
            lines.append(self.page.note("half precision overflowed; decoded in fp32"))
        if event.tiled:
            lines.append(self.page.note("memory ran short; decoded in tiles"))
        return lines + self.page.explain(
            "The VAE's decoder turns the clean latents into pixels, once."
        )

    def _saved(self, event: JobSaved) -> list[Text]:
        size = figures.byte_size(event.size)
        return [
            self.page.row("saved", size, f"{figures.duration(event.seconds)} in all"),
            *self.page.wrapped(f"  {clean(event.path)}", "value"),
        ]

    def _failed(
        self, event: SavingDelayed | JobInterrupted | JobFailed | ModelFailed
    ) -> list[Text]:
        lines = self.page.wrapped(clean(event.title), "error")
        for part in (event.message, event.remedy):
            if part:
                lines += self.page.wrapped(f"  {clean(part)}", "label")
        return lines


def _decimals(value: float) -> str:
    """A figure in at most six places, with three decimals where they fit."""
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.1f}"
