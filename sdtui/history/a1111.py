"""The `parameters` text that AUTOMATIC1111's web UI writes into a PNG and other tools read."""

from __future__ import annotations

import json

from sdtui.history.picture_record import PictureRecord

_NAMED_SCHEDULES = {"DPM++ 2M Karras": ("DPM++ 2M", "Karras")}

_HASH_DIGITS = 10


def parameters_text(record: PictureRecord, width: int, height: int) -> str:
    """Prompt, negative prompt and a line of "Key: value" pairs, joined with ", ".

    The prompts stand there as they are, also where a line of theirs looks like another part of
    the text; the JSON beside it is exact.
    """
    params = record.params
    sampler, schedule = _NAMED_SCHEDULES.get(params.scheduler, (params.scheduler, "Automatic"))
    pairs: dict[str, object] = {
        "Steps": params.num_inference_steps,
        "Sampler": sampler,
        "Schedule type": schedule,
        "CFG scale": f"{params.guidance_scale:g}",
        "Seed": params.seed,
        "Size": f"{width}x{height}",
    }
    if record.unet_sha256:
        pairs["Model hash"] = record.unet_sha256[:_HASH_DIGITS]
    pairs |= {
        # Other tools know models by their bare names, and where they lie is nobody's business.
        "Model": params.model.rstrip("/").rpartition("/")[2],
        "RNG": "CPU",
    }
    if record.guidance_adjustments:
        pairs["CFG scale adjusted"] = ", ".join(
            f"{guidance_scale:g} from step {step_index + 1}"
            for step_index, guidance_scale in record.guidance_adjustments
        )
    pairs["Version"] = f"sdtui {record.version}"
    lines = [params.prompt]
    if params.negative_prompt:
        lines.append(f"Negative prompt: {params.negative_prompt}")
    lines.append(", ".join(f"{key}: {_quoted(value)}" for key, value in pairs.items()))
    # A NUL ends a text chunk for many readers.
    return "\n".join(lines).replace("\0", "\u2400")


def _quoted(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if any(c in text for c in ",:\n\r") else text
