"""The noise schedule, as one table of betas that every diffusers scheduler shares exactly.

Stable Diffusion's scaled_linear schedule ends with a signal of 0.068, from which a network reads
the picture's mean colour; noise drawn from scratch has no such trace (Lin et al. 2024,
arXiv:2305.08891). Its square roots of alpha_bar are therefore shifted and scaled as in their
algorithm 1, but down to a small remainder instead of zero, because sigma-space schedulers divide
by it and because only some diffusers schedulers know `rescale_betas_zero_snr`, while all of them
honour `trained_betas`.
"""

from __future__ import annotations

import torch

NUM_TRAIN_TIMESTEPS = 1000
BETA_START, BETA_END = 0.00085, 0.012
#: Square root of alpha_bar at the last timestep: a largest sigma of about 50.
TERMINAL_SIGNAL = 0.02


def betas() -> torch.Tensor:
    """The rescaled betas, (1000,) float64."""
    roots = torch.linspace(BETA_START**0.5, BETA_END**0.5, NUM_TRAIN_TIMESTEPS, dtype=torch.float64)
    signal = (1 - roots**2).cumprod(0).sqrt()
    first, last = signal[0], signal[-1]
    signal = TERMINAL_SIGNAL + (signal - last) * (first - TERMINAL_SIGNAL) / (first - last)
    alphas_cumprod = signal**2
    alphas = alphas_cumprod / torch.cat([torch.ones(1), alphas_cumprod[:-1]])
    return 1 - alphas


def alphas_cumprod() -> torch.Tensor:
    """alpha_bar by timestep, (1000,) float32."""
    return (1 - betas()).cumprod(0).float()


def scheduler_config() -> dict[str, object]:
    """What every scheduler of the pipeline is built from.

    The last four entries belong to other classes than the default's: diffusers hands them on
    through `from_config`, as Stable Diffusion's own configuration relies on.
    """
    return {
        "num_train_timesteps": NUM_TRAIN_TIMESTEPS,
        "beta_start": BETA_START,
        "beta_end": BETA_END,
        "beta_schedule": "scaled_linear",
        "trained_betas": [round(float(beta), 12) for beta in betas()],
        "prediction_type": "v_prediction",
        "timestep_spacing": "trailing",
        "clip_sample": False,
        "set_alpha_to_one": False,
        "skip_prk_steps": True,
        "steps_offset": 1,
    }


def add_noise(
    latents: torch.Tensor, noise: torch.Tensor, signal: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Noisy latents and the velocity to predict (Salimans & Ho 2022, arXiv:2202.00512).

    Args:
        latents: (batch, channels, height, width), scaled.
        noise: like latents.
        signal: (batch,) alpha_bar of each sample's timestep.
    """
    alpha = signal.sqrt().view(-1, 1, 1, 1)
    sigma = (1 - signal).sqrt().view(-1, 1, 1, 1)
    return alpha * latents + sigma * noise, alpha * noise - sigma * latents
