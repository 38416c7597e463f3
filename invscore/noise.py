"""Noise models ``p(y | clean)``."""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from invscore.batches import PerImage, per_image, real_numbers
from invscore.doubles import doubled
from invscore.rng import SampleRNG

GROUP = 5.0
"""Counts that are expected of pixels whose residuals are judged together, at least (Pearson's
rule)."""


class Noise(abc.ABC):
    """The law of a measurement given its clean value, both (b, \\*out_shape)."""

    @abc.abstractmethod
    def sample(self, clean: Tensor, rng: SampleRNG) -> Tensor:
        """A noisy measurement of ``clean``."""

    @abc.abstractmethod
    def log_likelihood(self, y: Tensor, clean: Tensor) -> Tensor:
        """``log p(y | clean)`` in nats, normalised in y, one an image: (b,)."""

    @abc.abstractmethod
    def score(self, y: Tensor, clean: Tensor) -> Tensor:
        """The gradient of ``log p(y | clean)`` in ``clean``."""

    @abc.abstractmethod
    def variance(self, clean: Tensor) -> Tensor:
        """The variance of a measurement given its clean value: broadcasts against it."""

    @abc.abstractmethod
    def kurtosis(self, clean: Tensor) -> Tensor:
        """The excess kurtosis of a measurement given its clean value: broadcasts against it."""

    @abc.abstractmethod
    def check(self, y: Tensor) -> None:
        """Raise ``ValueError`` where ``y`` cannot be a measurement with this noise."""

    @abc.abstractmethod
    def select(self, images: Tensor) -> Noise:
        """The noise of the images with the indices ``images``, (k,)."""

    @abc.abstractmethod
    def scaled(self, factor: PerImage) -> Noise:
        """The noise of ``factor * y``."""

    def estimated_variance(self, y: Tensor) -> Tensor:
        """The variance of each number of ``y``, as ``y`` itself tells it: broadcasts against y."""
        return self.variance(y)

    def misfit(self, y: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
        """The mean square of the residual in units of the noise, and its variance, (b,) each.

        Of measured numbers (b, n), real and imaginary parts apart. If ``y`` is a measurement of
        ``clean``, the mean is 1 and the variance that which is given.
        """
        residual = real_numbers((y - clean) / self.variance(clean).sqrt()).flatten(1)
        excess = self.kurtosis(clean).expand(clean.shape).flatten(1).mean(dim=1)
        return residual.square().mean(dim=1), (2 + excess) / residual.shape[1]

    def at_least(self, level: Tensor) -> Noise:  # noqa: ARG002
        """This noise, but no smaller than ``level``, (b,): where rounding errors are larger."""
        return self


@dataclass(frozen=True)
class GaussianNoise(Noise):
    """``y = clean + sigma n``; ``sigma`` from 0, a number or one an image, (b,), in units of y.

    Complex measurements have noise of this standard deviation in the real and in the imaginary
    part. 0 is the noiseless task: nothing is added to a simulated measurement, and an
    ``InverseProblem`` takes it for the rounding errors of y. Raises ``ValueError`` for a ``sigma``
    that is negative or not finite.

        >>> import torch
        >>> from invscore import GaussianNoise
        >>> GaussianNoise(0.5).variance(torch.zeros(1, 2))
        tensor(0.2500)
    """

    sigma: float | Tensor

    def __post_init__(self) -> None:
        level = torch.as_tensor(self.sigma)
        if level.ndim > 1 or not bool((level.isfinite() & (level >= 0)).all()):
            raise ValueError(
                "the noise level `sigma` must be a finite number from 0, or one an image, got "
                f"{self.sigma}"
            )

    def level(self, like: Tensor) -> Tensor:
        """``sigma`` as a real tensor that broadcasts against ``like``, (b, \\*shape)."""
        return per_image(self.sigma, like)

    def sample(self, clean: Tensor, rng: SampleRNG) -> Tensor:
        return clean + self.level(clean) * rng.normal_like(clean)

    def log_likelihood(self, y: Tensor, clean: Tensor) -> Tensor:
        sigma = self.level(y)
        each = -0.5 * ((y - clean).abs() / sigma) ** 2
        per_number = sigma.log() + 0.5 * math.log(2 * math.pi)
        return (each - (2 if y.is_complex() else 1) * per_number).flatten(1).sum(dim=1)

    def score(self, y: Tensor, clean: Tensor) -> Tensor:
        return (y - clean) / self.level(y) ** 2

    def variance(self, clean: Tensor) -> Tensor:
        return self.level(clean) ** 2

    def kurtosis(self, clean: Tensor) -> Tensor:
        return torch.zeros((), dtype=clean.real.dtype, device=clean.device)

    def check(self, y: Tensor) -> None:
        level = torch.as_tensor(self.sigma)
        if level.ndim and len(level) != len(y):
            raise ValueError(
                "the noise level `sigma` must be a number or have one entry for each of the "
                f"{len(y)} measurements, got {len(level)}"
            )

    def select(self, images: Tensor) -> GaussianNoise:
        sigma = torch.as_tensor(self.sigma)
        return GaussianNoise(sigma[images.to(sigma.device)]) if sigma.ndim else self

    def scaled(self, factor: PerImage) -> GaussianNoise:
        return GaussianNoise(self.sigma * factor)

    def at_least(self, level: Tensor) -> GaussianNoise:
        sigma = torch.as_tensor(self.sigma, dtype=level.dtype, device=level.device)
        if bool((sigma >= level).all()):
            return self
        return RaisedNoise(torch.maximum(sigma, level), self.sigma)


@dataclass(frozen=True)
class RaisedNoise(GaussianNoise):
    """Gaussian noise of ``sigma``, the rounding errors, where less was ``declared``."""

    declared: float | Tensor = 0.0

    def select(self, images: Tensor) -> RaisedNoise:
        declared = torch.as_tensor(self.declared)
        if declared.ndim:
            declared = declared[images.to(declared.device)]
        return RaisedNoise(super().select(images).sigma, declared)

    def scaled(self, factor: PerImage) -> RaisedNoise:
        return RaisedNoise(self.sigma * factor, self.declared * factor)

    def at_least(self, level: Tensor) -> GaussianNoise:
        raised = super().at_least(level)
        return raised if raised is self else RaisedNoise(raised.sigma, self.declared)


@dataclass(frozen=True)
class PoissonNoise(Noise):
    """``photons * y ~ Poisson(photons * clean)``: ``photons`` counts at intensity 1.

    The likelihood is a density in ``y``: the probability of the counts times ``photons``.

    Of a ``clean`` below ``dark / photons``, ``dark`` counts of background, the rate falls no
    longer in proportion but as an exponential that has the same slope there: a forward model may
    dip below zero, where the likelihood stays finite, concave, and leads back whatever was counted.
    Measurements are real and not negative.

        >>> import torch
        >>> from invscore import PoissonNoise
        >>> PoissonNoise(photons=100).variance(torch.tensor([[0.25, 1.0]]))
        tensor([[0.0025, 0.0100]])
    """

    photons: float
    dark: float = 0.01

    def __post_init__(self) -> None:
        for name, value in (("photons", self.photons), ("dark", self.dark)):
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"`{name}` must be a positive number, got {value}")

    def sample(self, clean: Tensor, rng: SampleRNG) -> Tensor:
        return rng.poisson(self._log_rate(clean).exp()) / self.photons

    def log_likelihood(self, y: Tensor, clean: Tensor) -> Tensor:
        log_rate, counts = self._log_rate(clean), self.photons * y
        each = counts * log_rate - log_rate.exp() - torch.lgamma(counts + 1)
        return (each + math.log(self.photons)).flatten(1).sum(dim=1)

    def score(self, y: Tensor, clean: Tensor) -> Tensor:
        # d log(rate) / d clean is photons / rate, and photons / dark below the background.
        expected = self._log_rate(clean).exp()
        return self.photons * (self.photons * y - expected) / self._counts(clean)

    def variance(self, clean: Tensor) -> Tensor:
        return self._counts(clean) / self.photons**2

    def estimated_variance(self, y: Tensor) -> Tensor:
        # The mean of the rate given its counts, all rates being alike: no count may be any rate.
        return (self.photons * y + 1) / self.photons**2

    def kurtosis(self, clean: Tensor) -> Tensor:
        return 1 / self._counts(clean)

    def misfit(self, y: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels of which few counts are expected are judged by the sum of several neighbours.

        On its own such a pixel tells little of its rate, and its residual has the heaviest of
        tails: a single count where 0.01 is expected is 10 deviations.
        """
        counts = doubled(self.photons * y)
        rate = doubled(self._log_rate(clean).exp())
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
        floor = expected.clamp_min(self.dark)
        energy = torch.where(present, (seen - expected).square() / floor, 0.0)
        excess = torch.where(present, 2 + 1 / floor, 0.0)
        number = present.sum(dim=1)
        mean, variance = energy.sum(dim=1) / number, excess.sum(dim=1) / number**2
        return mean.to(y), variance.to(y)

    def check(self, y: Tensor) -> None:
        if y.is_complex() or bool((y < 0).any()):
            given = "complex" if y.is_complex() else f"as low as {float(y.min())}"
            raise ValueError(
                f"the measurement `y` must be real and not negative for Poisson noise, got {given}"
            )

    def select(self, images: Tensor) -> PoissonNoise:  # noqa: ARG002
        return self

    def scaled(self, factor: PerImage) -> PoissonNoise:
        return PoissonNoise(self.photons / float(factor), self.dark)

    def _counts(self, clean: Tensor) -> Tensor:
        return (self.photons * clean).clamp_min(self.dark)

    def _log_rate(self, clean: Tensor) -> Tensor:
        """Of the Poisson law: continuous, with a continuous slope."""
        return self._counts(clean).log() + (self.photons * clean / self.dark - 1).clamp_max(0)
