"""Make `x0_sequence.png` again: 25 x0 estimates of the bundled model, 64×64, below each other.

    python benchmarks/data/make_x0_sequence.py

The VAE decodes each estimate, which has more detail than the linear preview and so costs a
terminal more.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from sdtui.diffusion.components import load
from sdtui.diffusion.denoise import DenoisingStep
from sdtui.diffusion.pipeline import text_to_image
from sdtui.params import GenerationParams

SIDE = 64
PARAMS = GenerationParams(
    prompt="a red apple on a blue background",
    seed=42,
    num_inference_steps=25,
    width=128,
    height=128,
)


def main() -> None:
    """Draw, decode every estimate, and save the frames."""
    components = load(PARAMS.model, "cpu", "float32", lambda progress: None)
    vae = components.vae
    frames = []
    for stage in text_to_image(components, PARAMS):
        if isinstance(stage, DenoisingStep):
            with torch.inference_mode():
                latents = stage.denoised / vae.config.scaling_factor
                rgb = vae.decode(latents, return_dict=False)[0][0]
            pixels = rgb.div(2).add(0.5).clamp(0, 1).mul(255).round().byte().permute(1, 2, 0)
            picture = Image.fromarray(pixels.contiguous().numpy())
            frames.append(picture.resize((SIDE, SIDE), Image.Resampling.BOX))
    sequence = Image.new("RGB", (SIDE, SIDE * len(frames)))
    for number, frame in enumerate(frames):
        sequence.paste(frame, (0, SIDE * number))
    sequence.save(Path(__file__).parent / "x0_sequence.png", optimize=True)


if __name__ == "__main__":
    main()
