"""Gaussian priors: denoiser, score, Jacobian, density and samples in closed form."""

from __future__ import annotations

import abc
import copy
import math
from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor

from invscore.batches import Numbers, PerImage, as_tensor, per_image
from invscore.priors.base import Prior, require_images
from invscore.priors.coloured import Coloured, kinds_of
from invscore.priors.covariance import Covariance, precision, shrinkage
from invscore.priors.noise_covariance import NoiseCovariance
from invscore.rng import SampleRNG, sample_rng


class Gaussian(Prior):
    """``x0 ~ N(mean, C)`` on real images (b, \\*shape), ``C = V diag(eigenvalues) V^T``.

    A subclass says how V acts; everything else is here. Images have the dtype and the device of
    ``mean``; ``ValueError`` for others.
    """

    mean: Tensor
    eigenvalues: Tensor
    has_density = True

    @abc.abstractmethod
    def filter(self, x: Tensor, gain: Tensor) -> Tensor:
        """``V diag(gain) V^T x``, ``gain`` like ``eigenvalues``, with a batch axis in front."""

    @abc.abstractmethod
    def dense_covariance(self) -> Covariance:
        """The covariance as a matrix, by its eigenvalues and eigenvectors."""

    @property
    @abc.abstractmethod
    def std(self) -> Tensor:
        """The standard deviation of each pixel, in the shape of ``mean``."""

    @abc.abstractmethod
    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> Self:
        """A copy on ``device`` and in ``dtype``."""

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
        require_images(x, self.mean)
        return self.mean + self.filter(x - self.mean, shrinkage(*self._spectra(x, sigma)))

    def score(self, x: Tensor, sigma: PerImage) -> Tensor:
        """``-(C + sigma^2 I)^-1 (x - mean)``, also at ``sigma`` = 0 where C is regular."""
        return -self.filter(x - self.mean, precision(*self._spectra(x, sigma)))

    def pullback(self, x: Tensor, sigma: PerImage) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """J is ``C (C + sigma^2 I)^-1``, symmetric and the same at every ``x``."""
        gain = shrinkage(*self._spectra(x, sigma))
        return self.denoise(x, sigma), lambda u: self.filter(u, gain)

    def denoise_with(self, x: Tensor, noise: NoiseCovariance) -> Tensor:
        if noise.basis.kind not in self.noise_kinds:
            return super().denoise_with(x, noise)
        require_images(x, self.mean)
        coloured = Coloured.of(x, self.mean[None], self.dense_covariance(), noise)
        return coloured.denoised(torch.ones_like(x.flatten(1)[:, :1]))

    def log_prob(self, x: Tensor, sigma: PerImage = 0.0) -> Tensor:
        """Log-density of ``x0 + sigma n`` at ``x`` in nats, (b,)."""
        inverse = precision(*self._spectra(x, sigma))
        centred = x - self.mean
        energy = (centred * self.filter(centred, inverse)).flatten(1).sum(dim=1)
        log_volume = self.mean.numel() * math.log(2 * math.pi) - inverse.log().flatten(1).sum(dim=1)
        return -0.5 * (energy + log_volume)

    def log_density(self, x: Tensor, sigma: PerImage) -> Tensor:
        return self.log_prob(x, sigma)

    def sample(self, n: int, rng: SampleRNG | int = 0) -> Tensor:
        """``n`` images, (n, \\*shape), from a generator of ``n`` streams or from a seed."""
        white = sample_rng(rng, n, "prior", self.mean.device).normal_like(
            self.mean.expand(n, *self.shape)
        )
        return self.mean + self.filter(white, self.eigenvalues.sqrt()[None])

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one image."""
        return tuple(self.mean.shape)

    def _spectra(self, x: Tensor, sigma: PerImage) -> tuple[Tensor, Tensor]:
        """The eigenvalues and the noise levels, to be broadcast against coefficients."""
        require_images(x, self.mean)
        level = per_image(sigma, x).reshape(-1, *[1] * self.eigenvalues.ndim)
        return self.eigenvalues, level


class GaussianPrior(Gaussian):
    """``N(mean, covariance)``: ``mean`` of the shape of an image, of d pixels in all.

    ``covariance`` is a number (isotropic), (d,) variances, a positive semi-definite (d, d)
    matrix, or a ``Covariance``. Raises ``ValueError`` where it is none of these, or not finite.

        >>> import torch
        >>> from invscore import GaussianPrior
        >>> GaussianPrior(torch.zeros(1, 4, 4), 0.25).sample(3, 0).shape
        torch.Size([3, 1, 4, 4])
    """

    def __init__(self, mean: Numbers, covariance: float | Tensor | Covariance) -> None:
        mean = finite("mean", mean)
        self.mean = mean
        self._covariance = Covariance.of(covariance, mean.numel(), mean.dtype, mean.device)
        self.eigenvalues = self._covariance.values
        self.variance = float(self.eigenvalues.mean())
        self.noise_kinds = kinds_of(self._covariance, mean.numel())

    @property
    def covariance(self) -> Tensor:
        """The dense covariance, (d, d)."""
        return self._covariance.matrix

    def dense_covariance(self) -> Covariance:
        return self._covariance

    @property
    def std(self) -> Tensor:
        return self._covariance.diagonal.sqrt().reshape(self.shape)

    def filter(self, x: Tensor, gain: Tensor) -> Tensor:
        coefficients = gain * self._covariance.analyse(x.flatten(1))
        return self._covariance.synthesise(coefficients).reshape(x.shape)

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> Self:
        moved = copy.copy(self)
        moved.mean = self.mean.to(device, dtype)
        moved._covariance = self._covariance.to(device, dtype)
        moved.eigenvalues = moved._covariance.values
        return moved


def finite(name: str, values: Numbers) -> Tensor:
    """``values`` as a tensor of real floating-point numbers, all finite, or a ``ValueError``."""
    values = as_tensor(name, values)
    if not values.is_floating_point():
        raise ValueError(f"`{name}` must hold real floating-point numbers, got {values.dtype}")
    if not bool(values.isfinite().all()):
        raise ValueError(f"`{name}` must be finite, got NaN or infinite values")
    return values
