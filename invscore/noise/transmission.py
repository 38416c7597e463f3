"""Counts behind an absorber, told as line integrals: transmission tomography at any dose."""

from __future__ import annotations

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
from invscore.noise.poisson import misfit_of_counts
from invscore.rng import SampleRNG

LEAST = 0.5
"""Counts above the background below which the logarithm is continued by its tangent."""

DARK = 0.01
"""Least expected number of counts behind any absorber."""

BEYOND = 2.0
"""Largest log-ratio of observed and expected transmission for full steps; beyond it they are
shortened."""


@dataclass(frozen=True)
class TransmissionNoise(Noise):
    """``counts ~ Poisson(photons * exp(-clean) + background)``: the law of Beer and Lambert.

    ``clean`` are line integrals, so that the operator is linear, and so is y, made of counts by
    ``line_integrals``: their ``-log((counts - background) / photons)`` and, below half a count, the
    tangent there. Nothing of the counts is lost, and the likelihood is theirs, down to none at all.
    ``photons``, of a ray that meets nothing, and ``background``, scattered or of a detector, are
    numbers, or tensors that broadcast against (\\*out_shape). ``unit``: what y and clean have been
    multiplied by. Methods for Gaussian noise take the score's own (Fisher scoring), as the mean of
    logarithms is not the line integral where counts are few.

        >>> import torch
        >>> from invscore.noise import TransmissionNoise
        >>> noise = TransmissionNoise(photons=1000.0)
        >>> noise.line_integrals(torch.tensor([1000.0, 100.0, 0.0]))
        tensor([0.0000, 2.3026, 8.6009])
    """

    photons: float | Tensor
    background: float | Tensor = 0.0
    unit: float = 1.0

    def __post_init__(self) -> None:
        keep_as_tensors(self, "photons", "background")
        require_positive(photons=self.photons, unit=self.unit)
        require_background(self.background)

    def line_integrals(self, counts: Tensor) -> Tensor:
        """Estimates of the line integrals from ``counts``, (\\*out_shape) or a batch of them."""
        photons = torch.as_tensor(beside(self.photons, counts)).to(counts)
        above = counts - beside(self.background, counts)
        line = (photons / LEAST).log() + 1 - above / LEAST
        few = above < LEAST
        return self.unit * torch.where(few, line, (photons / torch.where(few, LEAST, above)).log())

    def counts(self, y: Tensor) -> Tensor:
        """The counts that ``y`` was made of."""
        y = y / self.unit
        photons = torch.as_tensor(beside(self.photons, y)).to(y)
        above = photons * (-y).exp()
        line = LEAST * (1 - y + (photons / LEAST).log())
        counts = torch.where(above < LEAST, line, above) + beside(self.background, y)
        return counts.clamp_min(0)

    def sample(self, clean: Tensor, rng: SampleRNG) -> Tensor:
        return self.line_integrals(rng.poisson(self._rate(clean)))

    def log_likelihood(self, y: Tensor, clean: Tensor) -> Tensor:
        rate, counts = self._rate(clean), self.counts(y)
        each = counts * rate.log() - rate - torch.lgamma(counts + 1)
        cells = (counts - beside(self.background, y)).clamp_min(LEAST) / self.unit
        return (each + cells.log()).flatten(1).sum(dim=1)

    def score(self, y: Tensor, clean: Tensor) -> Tensor:
        rate, through = self._rate(clean), self._through(clean)
        return (1 - self.counts(y) / rate) * through / self.unit

    def variance(self, clean: Tensor) -> Tensor:
        return self._rate(clean) * (self.unit / self._through(clean)) ** 2

    def estimated_variance(self, y: Tensor) -> Tensor:
        counts = self.counts(y)
        above = (counts - beside(self.background, y)).clamp_min(LEAST)
        return (counts + 1) * (self.unit / above) ** 2

    def working(self, y: Tensor, clean: Tensor) -> Tensor:
        counts = self.counts(y)
        above = counts - beside(self.background, y)
        # A step from far behind what was counted goes no farther than the exponential lets it.
        slope = torch.maximum(self._through(clean), above / torch.e**BEYOND)
        return clean + self.unit * (self._rate(clean) - counts) / slope

    def standardised(self, y: Tensor, clean: Tensor) -> Tensor:
        rate = self._rate(clean)
        return (rate - self.counts(y)) / rate.sqrt()

    def kurtosis(self, clean: Tensor) -> Tensor:
        return 1 / self._rate(clean)

    def misfit(self, y: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
        mean, variance = misfit_of_counts(doubled(self.counts(y)), doubled(self._rate(clean)), DARK)
        return mean.to(y), variance.to(y)

    def check(self, y: Tensor) -> None:
        if y.is_complex():
            raise ValueError(
                "the measurement `y` must be real line integrals for transmission, got complex"
            )

    def scaled(self, factor: PerImage) -> TransmissionNoise:
        return replace(self, unit=self.unit * float(factor))

    def flat(self, places: Tensor | None, out_shape: tuple[int, ...]) -> TransmissionNoise:
        return replace(
            self,
            photons=flattened(self.photons, places, out_shape),
            background=flattened(self.background, places, out_shape),
        )

    def _through(self, clean: Tensor) -> Tensor:
        """The counts that are expected of the beam."""
        return (beside(self.photons, clean) * (-clean / self.unit).exp()).clamp_min(DARK)

    def _rate(self, clean: Tensor) -> Tensor:
        return self._through(clean) + beside(self.background, clean)
