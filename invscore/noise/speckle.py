"""Multiplicative noise: the speckle of radar, ultrasound, optical coherence and holography."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from invscore.batches import PerImage
from invscore.noise.base import Noise, require_magnitudes
from invscore.noise.maps import require_positive
from invscore.rng import SampleRNG


@dataclass(frozen=True)
class SpeckleNoise(Noise):
    """``y = clean * g``, g of the Gamma law of mean 1 and variance 1 / ``looks``.

    That of intensities averaged over so many independent looks: 1 is fully developed speckle, whose
    law is exponential (Goodman 2007, Ch. 4). Below ``floor``, in the units of y, the clean value
    counts as the floor, with the slope that the log-likelihood has there. Measurements are real and
    not negative.

        >>> import torch
        >>> from invscore.noise import SpeckleNoise
        >>> SpeckleNoise(looks=4).variance(torch.tensor([[0.2, 1.0]]))
        tensor([[0.0100, 0.2500]])
    """

    looks: float
    floor: float = 0.01

    def __post_init__(self) -> None:
        require_positive(looks=self.looks, floor=self.floor)

    def sample(self, clean: Tensor, rng: SampleRNG) -> Tensor:
        return clean * rng.gamma_like(clean, self.looks) / self.looks

    def log_likelihood(self, y: Tensor, clean: Tensor) -> Tensor:
        level, looks = clean.clamp_min(self.floor), self.looks
        seen = y.clamp_min(torch.finfo(y.dtype).tiny)
        each = looks * (math.log(looks) - level.log() - y / level) + (looks - 1) * seen.log()
        below = (clean - level) * self._slope(y, level)
        return (each + below - math.lgamma(looks)).flatten(1).sum(dim=1)

    def score(self, y: Tensor, clean: Tensor) -> Tensor:
        return self._slope(y, clean.clamp_min(self.floor))

    def variance(self, clean: Tensor) -> Tensor:
        return clean.clamp_min(self.floor).square() / self.looks

    def estimated_variance(self, y: Tensor) -> Tensor:
        # What one number says of its own variance is as noisy as itself: that of all together.
        power = y.square().flatten(1).mean(dim=1).reshape(-1, *[1] * (y.ndim - 1))
        return (power / (1 + self.looks)).clamp_min(self.floor**2 / self.looks).expand(y.shape)

    def kurtosis(self, clean: Tensor) -> Tensor:
        return torch.full((), 6 / self.looks, dtype=clean.dtype, device=clean.device)

    def check(self, y: Tensor) -> None:
        require_magnitudes(y, "speckle")

    def scaled(self, factor: PerImage) -> SpeckleNoise:
        return SpeckleNoise(self.looks, self.floor * float(factor))

    def _slope(self, y: Tensor, level: Tensor) -> Tensor:
        return self.looks * (y - level) / level.square()
