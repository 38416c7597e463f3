"""Gaussian noise that is not white: variances on pixels, on frequencies or in any other basis."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from invscore.hardware.doubles import doubled

Kind = Literal["pixels", "frequencies", "matrix"]

LARGEST = 2048
"""Largest image, in numbers, whose covariances are written out as matrices."""


@dataclass(frozen=True)
class Basis:
    """An orthonormal basis V of images (b, \\*shape), whose coefficients have the same shape.

    ``kind``: ``"pixels"``, V being the identity; ``"frequencies"``, in the order of
    ``torch.fft.fft2`` over the last two axes, those of a real image by the Hartley transform, which
    is real; or ``"matrix"``, with the columns of ``matrix``, (d, d), for real images of d numbers.
    """

    kind: Kind
    matrix: Tensor | None = None

    def analyse(self, x: Tensor) -> Tensor:
        """``V^H x``."""
        if self.kind == "frequencies":
            spectrum = torch.fft.fft2(x, norm="ortho")
            return spectrum if x.is_complex() else spectrum.real - spectrum.imag
        return x if self.matrix is None else (x.flatten(1) @ self.matrix.to(x)).reshape(x.shape)

    def synthesise(self, coefficients: Tensor) -> Tensor:
        """``V`` times the coefficients."""
        if self.kind == "frequencies":
            if coefficients.is_complex():
                return torch.fft.ifft2(coefficients, norm="ortho")
            return self.analyse(coefficients)
        if self.matrix is None:
            return coefficients
        images = coefficients.flatten(1) @ self.matrix.to(coefficients).T
        return images.reshape(coefficients.shape)


@dataclass(frozen=True)
class NoiseCovariance:
    """``V diag(variances) V^H``, the covariance of Gaussian noise on images (b, \\*shape).

    ``variances``: positive, of the shape of the coefficients, with a batch axis of b or 1 in front;
    of complex images those of the real and of the imaginary part, each. On ``"pixels"`` it is a map
    of the noise, on ``"frequencies"`` its spectrum, alike at a frequency and its negative where
    images are real.
    """

    basis: Basis
    variances: Tensor

    def filter(self, x: Tensor, gain: Tensor) -> Tensor:
        """``V diag(gain) V^H x``."""
        return self.basis.synthesise(gain * self.basis.analyse(x))

    def dense(self) -> Tensor:
        """The covariance of real images as matrices, in float64: (b, d, d), or (1, d, d) where
        ``variances`` is one for all."""
        variances = doubled(self.variances)
        shape, d = variances.shape[1:], math.prod(variances.shape[1:])
        if self.basis.kind == "pixels":
            return torch.diag_embed(variances.flatten(1))
        unit = torch.eye(d, dtype=torch.float64, device=variances.device).reshape(d, *shape)
        v = self.basis.synthesise(unit).flatten(1)  # a row for each column of V
        return v.T @ (variances.flatten(1)[..., None] * v)
