"""Counts that are read with Gaussian noise, as the pixels of CCD, CMOS and EMCCD cameras are."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from invscore.batches import PerImage
from invscore.hardware.doubles import doubled
from invscore.noise.base import Noise
from invscore.noise.maps import beside, require_positive
from invscore.noise.poisson import PoissonNoise
from invscore.rng import SampleRNG

NODES = 20
"""Nodes on each side of the likeliest number of photons over which the density is summed."""

STRIDE = 1.25
"""Nodes for each standard deviation: sums of steps up to a deviation / 1.25 are exact to 1e-13."""

NEWTON = 12
"""Newton iterations to the likeliest number of photons."""


@dataclass(frozen=True)
class PoissonGaussianNoise(PoissonNoise):
    """``y = k / photons + sigma n`` with ``k ~ Poisson(photons * clean + background)``.

    ``sigma``, the read noise, is in the units of y: that of r electrons is ``r / photons``. The
    ``background``, in counts, has been taken off y. The likelihood is exact: the sum over k, of
    41 numbers of photons about the likeliest, further apart where that is broad (Foi et al. 2008
    and others take a Gaussian of the same variance, which is wrong for few counts).

        >>> import torch
        >>> from invscore.noise import PoissonGaussianNoise
        >>> PoissonGaussianNoise(photons=100, sigma=0.1).variance(torch.tensor([[1.0]]))
        tensor([[0.0200]])
    """

    sigma: float = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(sigma=self.sigma)

    def sample(self, clean: Tensor, rng: SampleRNG) -> Tensor:
        return super().sample(clean, rng) + self.sigma * rng.normal_like(clean)

    def log_likelihood(self, y: Tensor, clean: Tensor) -> Tensor:
        return self._sums(y, clean)[0].flatten(1).sum(dim=1).to(y)

    def score(self, y: Tensor, clean: Tensor) -> Tensor:
        # E[k | y] takes the place of the counts in the score of the Poisson law.
        expected = self._log_rate(clean).exp()
        return self.photons * (self._sums(y, clean)[1].to(y) - expected) / self._counts(clean)

    def variance(self, clean: Tensor) -> Tensor:
        return super().variance(clean) + self.sigma**2

    def estimated_variance(self, y: Tensor) -> Tensor:
        return super().estimated_variance(y) + self.sigma**2

    def kurtosis(self, clean: Tensor) -> Tensor:
        return self._counts(clean) / (self.photons**2 * self.variance(clean)) ** 2

    def misfit(self, y: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
        return Noise.misfit(self, y, clean)

    def check(self, y: Tensor) -> None:
        if y.is_complex():
            raise ValueError(
                "the measurement `y` must be real for Poisson-Gaussian noise, got complex"
            )

    def scaled(self, factor: PerImage) -> PoissonGaussianNoise:
        return PoissonGaussianNoise(
            self.photons / float(factor),
            self.dark,
            self.background,
            sigma=self.sigma * float(factor),
        )

    def _sums(self, y: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
        """``log p(y | clean)`` and ``E[k | y]`` of each number, in double precision."""
        y, clean = doubled(y), doubled(clean)
        log_rate = self._log_rate(clean)
        seen = self.photons * y + beside(self.background, y)
        read = self.photons * self.sigma

        def log_weight(k: Tensor) -> Tensor:
            counted = k * log_rate - torch.lgamma(k + 1)
            return counted - ((seen - k) / read).square() / 2

        # Of u = log(k + 1/2) the slope of the log-weight is concave and falls: Newton's steps from
        # beyond its zero stay there and come down to it.
        u = torch.maximum(log_rate, (seen + 0.5).clamp_min(1e-3).log())
        for _ in range(NEWTON):
            k = u.exp()
            slope = log_rate - u + (seen + 0.5 - k) / read**2
            u = u + slope / (1 + k / read**2)
        likeliest = u.exp()
        width = (1 / likeliest + 1 / read**2).rsqrt()
        step = (width / STRIDE).floor().clamp_min(1)
        middle = (likeliest - 0.5).round().clamp_min(0)
        top = log_weight(middle)
        total, first = torch.zeros_like(top), torch.zeros_like(top)
        for j in range(-NODES, NODES + 1):
            k = middle + j * step
            weight = torch.where(k >= 0, (log_weight(k.clamp_min(0)) - top).exp(), 0.0)
            total, first = total + weight, first + weight * k
        density = top + (step * total).log() - log_rate.exp()
        unit = math.log(self.sigma) + 0.5 * math.log(2 * math.pi)
        return density - unit, first / total
