"""Noise models ``p(y | A x)`` and the inverse problem they make with an operator."""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from invscore.batches import PerImage, per_image
from invscore.operators import LinearOperator, Operator
from invscore.rng import SampleRNG, sample_rng


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
    def variance(self, y: Tensor) -> Tensor:
        """The variance of each number of ``y``, as ``y`` itself tells it: broadcasts against y."""

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


@dataclass(frozen=True)
class GaussianNoise(Noise):
    """``y = clean + sigma n``; ``sigma`` > 0 a number, or one an image, (b,), in measurement units.

    Complex measurements have noise of this standard deviation in the real and in the imaginary
    part. Raises ``ValueError`` for a ``sigma`` that is not positive and finite.
    """

    sigma: float | Tensor

    def __post_init__(self) -> None:
        level = torch.as_tensor(self.sigma)
        if level.ndim > 1 or not bool((level.isfinite() & (level > 0)).all()):
            raise ValueError(
                "the noise level `sigma` must be a positive number, or one an image, got "
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

    def variance(self, y: Tensor) -> Tensor:
        return self.level(y) ** 2

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


@dataclass(frozen=True)
class PoissonNoise(Noise):
    """``photons * y ~ Poisson(photons * clean)``: ``photons`` counts at intensity 1.

    The likelihood is a density in ``y``: the probability of the counts times ``photons``.

    ``clean`` is clipped from below at ``dark / photons``, ``dark`` counts of background, so that
    the likelihood stays finite where a forward model dips below zero. Measurements are real and
    not negative.
    """

    photons: float
    dark: float = 0.01

    def __post_init__(self) -> None:
        for name, value in (("photons", self.photons), ("dark", self.dark)):
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"`{name}` must be a positive number, got {value}")

    def sample(self, clean: Tensor, rng: SampleRNG) -> Tensor:
        return rng.poisson(self._counts(clean)) / self.photons

    def log_likelihood(self, y: Tensor, clean: Tensor) -> Tensor:
        rate, counts = self._counts(clean), self.photons * y
        each = torch.xlogy(counts, rate) - rate - torch.lgamma(counts + 1)
        return (each + math.log(self.photons)).flatten(1).sum(dim=1)

    def score(self, y: Tensor, clean: Tensor) -> Tensor:
        rate = self._counts(clean)
        lit = self.photons * clean > self.dark
        return torch.where(lit, self.photons * (self.photons * y / rate - 1), 0.0)

    def variance(self, y: Tensor) -> Tensor:
        return self._counts(y) / self.photons**2

    def kurtosis(self, clean: Tensor) -> Tensor:
        return 1 / self._counts(clean)

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


@dataclass(frozen=True)
class InverseProblem:
    """A measurement ``y`` of unknown images x: (b, \\*out_shape) and (b, \\*in_shape).

    Where the operator has a mask ``measured``, entries of ``y`` outside it carry no information:
    they may hold anything, NaN included, are set to zero, and are not counted in likelihoods.

    Raises ``ValueError`` when the shape of ``y`` does not fit the operator, when ``y`` is complex
    and the operator is not (or the reverse), when it is not of a floating-point type, when a
    measured entry is not finite, or when the noise cannot have produced ``y``.
    """

    operator: Operator
    y: Tensor
    noise: Noise

    def __post_init__(self) -> None:
        expected, given = tuple(self.operator.out_shape), tuple(self.y.shape)
        if given[1:] != expected or len(given) != len(expected) + 1:
            raise ValueError(
                f"the measurement `y` must have shape (b, {', '.join(map(str, expected))}) "
                f"for the operator {type(self.operator).__name__}, got {given}"
            )
        if self.y.is_complex() != self.operator.out_complex:
            kind = "complex" if self.operator.out_complex else "real"
            raise ValueError(
                f"the measurement `y` must be {kind} for this operator, got {self.y.dtype}"
            )
        if not (self.y.is_complex() or self.y.is_floating_point()):
            raise ValueError(
                f"the measurement `y` must be of a floating-point type, got {self.y.dtype}"
            )
        if self.operator.measured is not None:
            mask = self.operator.measured.to(self.y.device)
            object.__setattr__(self, "y", torch.where(mask, self.y, 0))
        if not bool(self.y.isfinite().all()):
            raise ValueError("the measurement `y` must be finite, got NaN or infinite values")
        self.noise.check(self.y)

    @property
    def image_dtype(self) -> torch.dtype:
        """The dtype of the unknown images: that of ``y``, complex or real as the operator says."""
        real = self.y.real.dtype
        return real.to_complex() if self.operator.in_complex else real

    def residual(self, x: Tensor) -> Tensor:
        """``y - A(x)``."""
        return self.y - self.operator(x)

    @property
    def count(self) -> int:
        """How many real numbers are measured of one image."""
        measured = self.operator.measured
        entries = math.prod(self.operator.out_shape) if measured is None else int(measured.sum())
        return 2 * entries if self.operator.out_complex else entries

    def discrepancy(self, x: Tensor) -> Tensor:
        """The rms of the residual in units of the noise, (b,): 1 on average at the true image.

        Over the measured numbers, real and imaginary parts apart. Poisson noise is taken at the
        level that ``A(x)`` implies (Pearson residuals).
        """
        y, clean = self._measured(self.y), self._measured(self.operator(x))
        residual = (y - clean) / self.noise.variance(clean).sqrt()
        numbers = torch.view_as_real(residual) if residual.is_complex() else residual
        return numbers.flatten(1).square().mean(dim=1).sqrt()

    def discrepancy_variance(self, x: Tensor) -> Tensor:
        """The variance of ``discrepancy(x)**2`` if x is the true image: (b,).

        2 / count for Gaussian noise, whose residuals have a chi-square law; more for others.
        """
        clean = self._measured(self.operator(x))
        excess = self.noise.kurtosis(clean).expand(clean.shape).flatten(1)
        return (2 + excess.mean(dim=1)) / self.count

    def log_likelihood(self, x: Tensor) -> Tensor:
        """``log p(y | x)`` of the measured entries in nats, (b,)."""
        return self.noise.log_likelihood(self._measured(self.y), self._measured(self.operator(x)))

    def score(self, x: Tensor) -> Tensor:
        """The gradient of ``log p(y | x)`` in ``x``: ``J(x)^H`` applied to the noise's score."""
        return self.operator.vjp(x, self.noise.score(self.y, self.operator(x)))

    def linear_gaussian(self, method: str) -> tuple[LinearOperator, Tensor, Tensor]:
        """``(A, y, s^2)`` for a method that needs a linear operator and Gaussian noise, s^2 (b,).

        Raises ``ValueError`` naming ``method`` where the problem is not of that kind.
        """
        if not isinstance(self.operator, LinearOperator):
            raise ValueError(
                f"{method} needs a linear operator, given {type(self.operator).__name__}"
            )
        if not isinstance(self.noise, GaussianNoise):
            raise ValueError(f"{method} needs Gaussian noise, given {type(self.noise).__name__}")
        variance = (self.noise.level(self.y) ** 2).flatten().expand(len(self.y))
        return self.operator, self.y, variance

    def select(self, images: Tensor) -> InverseProblem:
        """The problem of the images with the indices ``images``, (k,), repetitions allowed."""
        return replace(self, y=self.y[images], noise=self.noise.select(images))

    def scaled(self, factor: PerImage) -> InverseProblem:
        """The problem for ``factor * x`` with a linear operator: a number, or one an image, (b,).

        Of the noise models, Gaussian noise alone takes one an image.
        """
        y = per_image(factor, self.y, "factor") * self.y
        return replace(self, y=y, noise=self.noise.scaled(factor))

    def _measured(self, values: Tensor) -> Tensor:
        """The measured entries, (b, n), or all of them as they are."""
        mask = self.operator.measured
        return values if mask is None else values[:, mask.to(values.device)]


def simulate(operator: Operator, x: Tensor, noise: Noise, rng: SampleRNG | int = 0) -> Tensor:
    """A measurement of the images ``x``, (b, \\*in_shape): noisy where measured, else zero.

    ``rng`` is a generator of b streams, or a seed.
    """
    clean = operator(x)
    rng = sample_rng(rng, len(x), "noise", x.device)
    if operator.measured is None:
        return noise.sample(clean, rng)
    mask = operator.measured.to(clean.device)
    y = torch.zeros_like(clean)
    y[:, mask] = noise.sample(clean[:, mask], rng)
    return y
