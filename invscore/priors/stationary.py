"""Stationary Gaussian fields: a covariance that is diagonal in Fourier space, at image size."""

from __future__ import annotations

import copy
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from invscore.batches import Numbers
from invscore.priors.base import require_images
from invscore.priors.covariance import Covariance
from invscore.priors.gaussian import Gaussian, finite
from invscore.priors.noise_covariance import LARGEST, Kind, NoiseCovariance


class StationaryGaussianPrior(Gaussian):
    """A periodic Gaussian field: covariance between pixels depends on their distance alone.

    ``mean`` (\\*channels, h, w), channels independent. ``spectrum``, (h, w) or of the shape of
    ``mean``, in the order of ``torch.fft.fft2``: the eigenvalues of the covariance, whose average
    is the variance of a pixel.

    Raises ``ValueError`` for a spectrum of another shape, negative, not finite, or not the same
    at a frequency and its negative (the field would be complex).

        >>> from invscore.priors import StationaryGaussianPrior
        >>> field = StationaryGaussianPrior.power_law((1, 16, 16), exponent=2.0, variance=0.04)
        >>> field.sample(2, 0).shape, round(field.variance, 4)
        (torch.Size([2, 1, 16, 16]), 0.04)
    """

    def __init__(self, mean: Numbers, spectrum: Numbers) -> None:
        mean, spectrum = finite("mean", mean), finite("spectrum", spectrum)
        if mean.ndim < 2 or spectrum.shape not in {mean.shape, mean.shape[-2:]}:
            raise ValueError(
                f"`spectrum` must have shape (h, w) or that of the mean, {tuple(mean.shape)}, "
                f"got {tuple(spectrum.shape)}"
            )
        if bool((spectrum < 0).any()):
            raise ValueError(f"`spectrum` must not be negative, got {float(spectrum.min())}")
        negative = spectrum.flip(-2, -1).roll((1, 1), dims=(-2, -1))
        if not torch.allclose(spectrum, negative, rtol=1e-4):
            raise ValueError("`spectrum` must be the same at a frequency and its negative")
        self.mean = mean
        self.eigenvalues = (0.5 * (spectrum + negative)).to(mean.dtype).expand(mean.shape)
        self.variance = float(self.eigenvalues.mean())
        every: frozenset[Kind] = frozenset({"pixels", "frequencies", "matrix"})
        self.noise_kinds = every if mean.numel() <= LARGEST else frozenset({"frequencies"})

    @classmethod
    def power_law(
        cls,
        shape: tuple[int, ...],
        *,
        exponent: float = 2.0,
        variance: float = 1.0,
        mean: float = 0.0,
        dtype: torch.dtype = torch.float32,
    ) -> StationaryGaussianPrior:
        """A field of power ``|f|^-exponent`` and of pixel variance ``variance``.

        ``f`` is the frequency in cycles a pixel; the constant has the power of the lowest other
        frequency. Natural images have an exponent near 2.
        """
        fy, fx = (torch.fft.fftfreq(n, dtype=torch.float64) for n in shape[-2:])
        frequency = torch.hypot(fy[:, None], fx).clamp_min(1 / max(shape[-2:]))
        power = frequency**-exponent
        spectrum = variance * power / power.mean()
        return cls(torch.full(shape, mean, dtype=dtype), spectrum.to(dtype))

    @property
    def spectrum(self) -> Tensor:
        """The eigenvalues of the covariance, in the shape of the mean."""
        return self.eigenvalues

    @property
    def std(self) -> Tensor:
        return self.eigenvalues.mean(dim=(-2, -1), keepdim=True).sqrt().expand(self.shape)

    def denoise_with(self, x: Tensor, noise: NoiseCovariance) -> Tensor:
        if noise.basis.kind != "frequencies":
            return super().denoise_with(x, noise)
        require_images(x, self.mean)
        gain = self.eigenvalues / (self.eigenvalues + noise.variances)
        return self.mean + self.filter(x - self.mean, gain)

    def dense_covariance(self) -> Covariance:
        return self._dense

    @cached_property
    def _dense(self) -> Covariance:
        d = self.mean.numel()
        eye = torch.eye(d, dtype=self.mean.dtype, device=self.mean.device)
        matrix = self.filter(eye.reshape(d, *self.shape), self.eigenvalues[None]).reshape(d, d)
        return Covariance.of(matrix, d, self.mean.dtype)

    def filter(self, x: Tensor, gain: Tensor) -> Tensor:
        h, w = x.shape[-2:]
        return torch.fft.irfft2(torch.fft.rfft2(x) * gain[..., : w // 2 + 1], s=(h, w))

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> Self:
        moved = copy.copy(self)
        moved.mean = self.mean.to(device, dtype)
        moved.eigenvalues = self.eigenvalues.to(device, dtype)
        vars(moved).pop("_dense", None)
        return moved
