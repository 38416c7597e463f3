"""How well a prior denoises photographs that it was not trained on."""

from __future__ import annotations

import numpy as np
import torch

from invscore.priors.network import NetworkPrior
from invscore.training.data import Source

LEVELS = (15 / 255, 25 / 255, 50 / 255)
CROPS = 64


@torch.no_grad()
def validate(prior: NetworkPrior, photos: Source) -> dict[str, float]:
    """PSNR in dB of the denoiser on fixed crops at sigma 15, 25 and 50 of 255."""
    random = np.random.default_rng(0)
    clean = photos.batch(CROPS, random)
    noise = torch.from_numpy(random.standard_normal(clean.shape, dtype=np.float32))
    device = next(prior.parameters()).device
    clean, noise = clean.to(device), noise.to(device)
    psnr = {}
    for sigma in LEVELS:
        error = (prior.denoise(clean + sigma * noise, sigma) - clean) ** 2
        per_crop = -10 * error.mean(dim=(1, 2, 3)).log10()
        psnr[f"psnr{sigma * 255:.0f}"] = round(per_crop.mean().item(), 3)
    return psnr
