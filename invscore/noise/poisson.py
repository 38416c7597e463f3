"""Counts: the Poisson law, with a background."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from invscore.batches import PerImage
from invscore.hardware.doubles import doubled
from invscore.noise.base import Noise
from invscore.noise.maps import (
    beside,
    flattened,
    keep_as_tensors,
    require_background,
    require_positive,
)
from invscore.rng import SampleRNG

GROUP = 5.0
"""Least expected number of counts of a group of pixels whose residuals are judged together
(Pearson's rule)."""


@dataclass(frozen=True)
class PoissonNoise(Noise):
    """``photons * y ~ Poisson(photons * clean)``: ``photons`` counts at intensity 1.

    The likelihood is a density in ``y``: the probability of the counts times ``photons``.

    ``background``: counts of something else that are known to be expected, one number for all or
    (\\*out_shape), and that have been taken off y: ``photons * y + background`` was counted, and
    ``photons * clean + background`` expected.

    Where less than ``dark`` are expected, the rate falls no longer in proportion but as an
    exponential that has the same slope there: a forward model may dip below zero, where the
    likelihood stays finite, concave, and leads back whatever was counted. Measurements are real,
    and counts not negative.

        >>> import torch
        >>> from invscore import PoissonNoise
        >>> PoissonNoise(photons=100).variance(torch.tensor([[0.25, 1.0]]))
        tensor([[0.0025, 0.0100]])
    """

    photons: float
    dark: float = 0.01
    background: float | Tensor = 0.0

    def __post_init__(self) -> None:
        keep_as_tensors(self, "background")
        require_positive(photons=self.photons, dark=self.dark)
        require_background(self.background)

    def sample(self, clean: Tensor, rng: SampleRNG) -> Tensor:
        return (rng.poisson(self._log_rate(clean).exp()) - beside(self.background, clean)) / (
            self.photons
        )

    def log_likelihood(self, y: Tensor, clean: Tensor) -> Tensor:
        log_rate, counts = self._log_rate(clean), self._counted(y)
        each = counts * log_rate - log_rate.exp() - torch.lgamma(counts + 1)
        return (each + math.log(self.photons)).flatten(1).sum(dim=1)

    def score(self, y: Tensor, clean: Tensor) -> Tensor:
        # d log(rate) / d clean is photons / rate, and photons / dark below the background.
        expected = self._log_rate(clean).exp()
        return self.photons * (self._counted(y) - expected) / self._counts(clean)

    def variance(self, clean: Tensor) -> Tensor:
        return self._counts(clean) / self.photons**2

    def estimated_variance(self, y: Tensor) -> Tensor:
        # The mean of the rate given its counts, all rates being alike: no count may be any rate.
        return (self._counted(y) + 1) / self.photons**2

    def kurtosis(self, clean: Tensor) -> Tensor:
        return 1 / self._counts(clean)

    def misfit(self, y: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels of which few counts are expected are judged by the sum of several neighbours.

        On its own such a pixel tells little of its rate, and its residual has the heaviest of
        tails: a single count where 0.01 is expected is 10 deviations.
        """
        counts = doubled(self._counted(y))
        rate = doubled(self._log_rate(clean).exp())
        mean, variance = misfit_of_counts(counts, rate, self.dark)
        return mean.to(y), variance.to(y)

    def check(self, y: Tensor) -> None:
        if y.is_complex():
            raise ValueError(
                "the measurement `y` must be real and not negative for Poisson noise, got complex"
            )
        # Of counts that lay in single precision before their background was taken off.
        rounding = 1e-5 * (1 + beside(self.background, y))
        if bool((self.photons * y + beside(self.background, y) < -rounding).any()):
            beyond = (
                ""
                if isinstance(self.background, float) and self.background == 0
                else (", once the background is added,")
            )
            raise ValueError(
                f"the measurement `y` must be real and{beyond} not negative for Poisson noise, "
                f"got as low as {float(y.min())}"
            )

    def scaled(self, factor: PerImage) -> PoissonNoise:
        return replace(self, photons=self.photons / float(factor))

    def flat(self, places: Tensor | None, out_shape: tuple[int, ...]) -> PoissonNoise:
        return replace(self, background=flattened(self.background, places, out_shape))

    def _counted(self, y: Tensor) -> Tensor:
        """Counts, the background included."""
        return (self.photons * y + beside(self.background, y)).clamp_min(0)

    def _expected(self, clean: Tensor) -> Tensor:
        return self.photons * clean + beside(self.background, clean)

    def _counts(self, clean: Tensor) -> Tensor:
        return self._expected(clean).clamp_min(self.dark)

    def _log_rate(self, clean: Tensor) -> Tensor:
        """Of the Poisson law: continuous, with a continuous slope."""
        return self._counts(clean).log() + (self._expected(clean) / self.dark - 1).clamp_max(0)


def misfit_of_counts(counts: Tensor, rate: Tensor, dark: float) -> tuple[Tensor, Tensor]:
    """``Noise.misfit`` of counts and their rates, (b, n): few that are expected go together."""
    few = rate < GROUP
    # Groups of what less than GROUP is expected of, in their order, by twice that in all: at
    # least GROUP is expected of each, the incomplete last one being part of the one before it.
    below = torch.where(few, rate, 0.0)
    places = (below.cumsum(dim=1) - below).div(2 * GROUP).long()
    last = below.sum(dim=1, keepdim=True).div(2 * GROUP).long().sub(1).clamp_min(0)
    places = torch.minimum(places, last)
    size = int(last.max()) + 1

    def grouped(values: Tensor) -> Tensor:
        sums = values.new_zeros(len(values), size)
        return sums.scatter_add_(1, places, torch.where(few, values, 0.0))

    expected = torch.cat([torch.where(few, 0.0, rate), grouped(rate)], dim=1)
    seen = torch.cat([torch.where(few, 0.0, counts), grouped(counts)], dim=1)
    present = expected > 0
    floor = expected.clamp_min(dark)
    energy = torch.where(present, (seen - expected).square() / floor, 0.0)
    excess = torch.where(present, 2 + 1 / floor, 0.0)
    number = present.sum(dim=1)
    return energy.sum(dim=1) / number, excess.sum(dim=1) / number**2
