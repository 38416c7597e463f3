"""Denoising of images that a prior was not trained on."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from invscore.priors.network import NetworkPrior
from invscore.training.batches import Batch, noise_levels, unit_noise
from invscore.training.config import TrainConfig
from invscore.training.data import Source
from invscore.training.objectives import denoising_score_matching

LEVELS = (15 / 255, 25 / 255, 50 / 255)
IMAGES = 64
BANDS = 4
TOGETHER = 16  # images, as many as there are in a band


class Validation:
    """Fixed images of ``source`` with fixed noise, by which one step is compared with another."""

    def __init__(self, config: TrainConfig, source: Source) -> None:
        random = np.random.default_rng(0)
        clean = source.batch(IMAGES, random)
        noise = unit_noise(clean, random)
        # One level an image, at equal steps of the quantiles of the law of training.
        quantiles = (np.arange(IMAGES) + 0.5) / IMAGES
        sigma = torch.from_numpy(noise_levels(config, quantiles))
        self.batches = [
            Batch(clean[k::BANDS], sigma[k * TOGETHER : (k + 1) * TOGETHER], noise[k::BANDS])
            for k in range(BANDS)
        ]
        edges = noise_levels(config, np.linspace(0, 1, BANDS + 1))
        self.bands = [f"loss_{low:.2g}_{high:.2g}" for low, high in pairwise(edges)]

    @torch.no_grad()
    def __call__(self, prior: NetworkPrior) -> dict[str, float]:
        """PSNR in dB of the denoiser at sigma 15, 25 and 50 of 255, and the loss, of no level
        overstated, in four bands of them that training visits equally often: ``loss_FROM_TO``."""
        device = next(prior.parameters()).device
        batches = [batch.to(device) for batch in self.batches]
        result = {
            f"psnr{sigma * 255:.0f}": torch.cat([_psnr(prior, b, sigma) for b in batches]).mean()
            for sigma in LEVELS
        }
        for band, b in zip(self.bands, batches, strict=True):
            result[band] = denoising_score_matching(prior, b.clean, b.sigma, b.noise)
        return {
            name: round(value.item(), 3 if name.startswith("psnr") else 6)
            for name, value in result.items()
        }


def _psnr(prior: NetworkPrior, batch: Batch, sigma: float) -> Tensor:
    denoised = prior.denoise(batch.clean + sigma * batch.noise, sigma)
    error = (denoised - batch.clean).abs().square().mean(dim=(1, 2, 3))
    return -10 * error.log10()
