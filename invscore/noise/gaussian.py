"""Gaussian noise of one level, or of one an image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from invscore.batches import PerImage, as_tensor, per_image
from invscore.noise.base import Noise
from invscore.options.words import in_words
from invscore.rng import SampleRNG


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
        level = as_tensor("sigma", self.sigma)
        if not isinstance(self.sigma, int | float | Tensor):
            object.__setattr__(self, "sigma", level)
        if level.ndim > 1:
            raise ValueError(
                "the noise level `sigma` must be a number, or one an image, got the shape "
                f"{tuple(level.shape)}: invscore.estimation.noise_map.with_noise_map takes one for "
                "each number of y"
            )
        if level.is_complex() or not bool((level.isfinite() & (level >= 0)).all()):
            raise ValueError(
                "the noise level `sigma` must be a finite number from 0, or one an image, got "
                f"{in_words(level.tolist())}"
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
    """Gaussian noise of ``sigma``, the rounding errors, where less was ``declared``.

    >>> from invscore.noise import RaisedNoise
    >>> noise = RaisedNoise(1e-6, declared=0.0)
    >>> noise.sigma > noise.declared
    True
    """

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


def as_noise(noise: Noise | PerImage) -> Noise:
    """``noise`` itself, or Gaussian noise of that standard deviation: a number, or one an image.

    Raises ``TypeError`` for anything else.

    >>> from invscore.noise.gaussian import as_noise
    >>> as_noise(0.5)
    GaussianNoise(sigma=0.5)
    """
    if isinstance(noise, Noise):
        return noise
    try:
        return GaussianNoise(noise)
    except TypeError:
        raise TypeError(
            f"`noise` must be a law of noise or a standard deviation, got {in_words(noise)}: "
            "invscore.noise has GaussianNoise, PoissonNoise and others"
        ) from None
