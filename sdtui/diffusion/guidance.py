"""Classifier-free guidance (Ho and Salimans, 2022, arXiv:2207.12598)."""

from __future__ import annotations

import torch


class Guidance:
    """What steers the loop. It may be changed between steps and counts from the next one on.

    `guidance_scale` is w of "Imagen" (Saharia et al., 2022), equation 2; at 1 or below nothing
    guides, and the U-Net sees the prompt alone. The embeddings are (1, sequence_length, hidden).
    """

    def __init__(
        self,
        prompt_embeds: torch.Tensor,
        negative_prompt_embeds: torch.Tensor,
        guidance_scale: float,
    ) -> None:
        self.guidance_scale = guidance_scale
        self.set_embeds(prompt_embeds, negative_prompt_embeds)

    def set_embeds(self, prompt_embeds: torch.Tensor, negative_prompt_embeds: torch.Tensor) -> None:
        """Steer towards another prompt, away from another negative one."""
        self._prompt_embeds = prompt_embeds
        self._both = torch.cat([negative_prompt_embeds, prompt_embeds])

    @property
    def active(self) -> bool:
        """Whether the U-Net is asked twice, with the prompt and with the negative prompt."""
        return self.guidance_scale > 1

    @property
    def encoder_hidden_states(self) -> torch.Tensor:
        """What the U-Net attends to, (2, sequence_length, hidden): negative prompt, prompt.

        Without guidance it is the prompt alone, (1, sequence_length, hidden).
        """
        return self._both if self.active else self._prompt_embeds


def guide(
    noise_pred_uncond: torch.Tensor, noise_pred_text: torch.Tensor, guidance_scale: float
) -> torch.Tensor:
    """Extrapolate from the unconditional prediction through the prompt's, and beyond it.

    All are (1, channels, latent_height, latent_width). The order of the operations is the
    pipeline's: in floating point, `(1 - w) * u + w * c` is another number.
    """
    return noise_pred_uncond + guidance_scale * (noise_pred_text - noise_pred_uncond)
