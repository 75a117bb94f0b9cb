"""Make a sequence of 25 x0 estimates of the bundled model, 64×64, below each other.

    python benchmarks/data/make_x0_sequence.py apple|hamburger

The VAE decodes each estimate, which has more detail than the linear preview and so costs a
terminal more. The sequences are data: other weights draw other pictures, and only figures of the
same sequence can be compared.
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
SEQUENCES = {
    "apple": {"prompt": "a red apple on a blue background", "seed": 42},
    "hamburger": {
        "prompt": "a hamburger on an orange background",
        "seed": 7,
        "guidance_scale": 2.5,
    },
}


def main() -> None:
    """Draw, decode every estimate, and save the frames beside this file."""
    name = sys.argv[1]
    params = GenerationParams(num_inference_steps=25, width=128, height=128, **SEQUENCES[name])
    components = load(params.model, "cpu", "float32", lambda progress: None)
    vae = components.vae
    frames = []
    for stage in text_to_image(components, params):
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
    sequence.save(Path(__file__).parent / f"x0_{name}.png", optimize=True)


if __name__ == "__main__":
    main()
