"""The magnitude of a complex number with Gaussian noise, as magnitude images of MRI have it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from invscore.batches import PerImage
from invscore.hardware.doubles import doubled
from invscore.noise.base import Noise, require_magnitudes
from invscore.noise.maps import require_positive
from invscore.rng import SampleRNG

LEAST = 0.25
"""Least Fisher information, in units of 1 / sigma^2: dark pixels tell nothing of the magnitude."""

FAR, POINTS = 16.0, 257
"""Signal, in standard deviations, above which the law is taken for Gaussian, and the number of
points at which information is tabulated below."""


@dataclass(frozen=True)
class RicianNoise(Noise):
    """``y = |clean + sigma (n + i n')|``: ``sigma`` that of the real and the imaginary part.

    In the units of y; where nothing is, y has the mean 1.25 sigma (Gudbjartsson & Patz 1995).
    Measurements are real and not negative, images real.

        >>> import torch
        >>> from invscore.noise import RicianNoise
        >>> RicianNoise(sigma=0.1).mean(torch.tensor([[0.0, 1.0]]))
        tensor([[0.1253, 1.0050]])
    """

    sigma: float

    def __post_init__(self) -> None:
        require_positive(sigma=self.sigma)

    def sample(self, clean: Tensor, rng: SampleRNG) -> Tensor:
        real = clean + self.sigma * rng.normal_like(clean)
        return torch.hypot(real, self.sigma * rng.normal_like(clean))

    def log_likelihood(self, y: Tensor, clean: Tensor) -> Tensor:
        a, r = clean.abs() / self.sigma, y / self.sigma
        # I0 is scaled by exp(-a r), which makes a square of the exponents.
        each = -0.5 * (r - a).square() + torch.special.i0e(a * r).log()
        each = each + r.clamp_min(torch.finfo(r.dtype).tiny).log() - math.log(self.sigma)
        return each.flatten(1).sum(dim=1)

    def score(self, y: Tensor, clean: Tensor) -> Tensor:
        a, r = clean / self.sigma, y / self.sigma
        ratio = torch.special.i1e(a * r) / torch.special.i0e(a * r)
        return (r * ratio - a) / self.sigma

    def mean(self, clean: Tensor) -> Tensor:
        """The mean of y given its clean value."""
        return self.sigma * _mean(clean / self.sigma)

    def variance(self, clean: Tensor) -> Tensor:
        return self.sigma**2 / _information(clean / self.sigma).clamp_min(LEAST)

    def working(self, y: Tensor, clean: Tensor) -> Tensor:
        return clean + self.variance(clean) * self.score(y, clean)

    def standardised(self, y: Tensor, clean: Tensor) -> Tensor:
        a = clean / self.sigma
        spread = (2 + a.square() - _mean(a).square()).clamp_min(0.4).sqrt()
        return (y / self.sigma - _mean(a)) / spread

    def kurtosis(self, clean: Tensor) -> Tensor:
        a = doubled(clean / self.sigma).abs().clamp_max(FAR)
        mean, square = _mean(a), a.square()
        # The moments of the law, the third by Laguerre's L_(3/2)(-a^2 / 2) = ((2 + a^2 / 2) L_(1/2)
        # - L_(-1/2) / 2) / 1.5, L_(-1/2) being i0e(a^2 / 4).
        lower = torch.special.i0e(square / 4) * math.sqrt(math.pi / 2)
        third = 2 * (2 + square / 2) * mean - lower
        fourth, second = 8 + 8 * square + square**2, 2 + square
        central = fourth - 4 * mean * third + 6 * mean**2 * second - 3 * mean**4
        excess = central / (second - mean**2).square() - 3
        return torch.where(a < FAR / 2, excess, 0.0).to(clean)

    def check(self, y: Tensor) -> None:
        require_magnitudes(y, "Rician noise")

    def scaled(self, factor: PerImage) -> RicianNoise:
        return RicianNoise(self.sigma * float(factor))


def _mean(a: Tensor) -> Tensor:
    """Mean of the law of level 1 at the clean value ``a``: ``sqrt(pi / 2) L_(1/2)(-a^2 / 2)``."""
    t = a.square() / 4
    laguerre = (1 + 2 * t) * torch.special.i0e(t) + 2 * t * torch.special.i1e(t)
    return math.sqrt(math.pi / 2) * laguerre


def _information(a: Tensor) -> Tensor:
    """Fisher's information on the clean value ``a`` for the level 1, from a table."""
    table = _table().to(a)
    place = (a.abs() / FAR * (POINTS - 1)).clamp_max(POINTS - 1 - 1e-4)
    lower = place.floor().long()
    near = torch.lerp(table[lower], table[lower + 1], place - lower)
    return torch.where(a.abs() < FAR, near, 1.0)


@cache
def _table() -> Tensor:
    """``E[(y I1 / I0)^2] - a^2`` by quadrature, for a from 0 to ``FAR``."""
    a = torch.linspace(0, FAR, POINTS, dtype=torch.float64)[:, None]
    y = (a + torch.linspace(-9, 9, 721, dtype=torch.float64)).clamp_min(0)
    i0 = torch.special.i0e(a * y)
    density = y * torch.exp(-0.5 * (y - a) ** 2) * i0
    moment = (y * torch.special.i1e(a * y) / i0) ** 2
    return torch.trapezoid(density * moment, y, dim=1) - a[:, 0] ** 2
