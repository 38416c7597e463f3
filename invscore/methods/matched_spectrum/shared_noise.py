"""Noise that the state of a sampler has in common with the measurement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from invscore.operators.svd import SVD
from invscore.rng import SampleRNG

MARGIN = 1e-3
"""Least excess of the precision of y over that of x, as a share, for y to be used once more."""


class Basis(NamedTuple):
    """Singular vectors: coefficients to images, and images to coefficients."""

    v: Callable[[Tensor], Tensor]
    vh: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class SharedNoise:
    """States x = x0 + sigma n whose noise is as much that of the measurement as it can be.

    A coefficient of the image on the singular vectors is measured as ``u = x0 + s/a n``, a its
    singular value and s the noise of y. Where that is more precise than the level, x is u with
    fresh noise on top, up to the level (Kawar et al. 2022, DDRM, Eq. 7); where it is less, u is x
    with noise on top. Either way the noise of x is white and of the level sigma, and what the
    denoiser sees is the true image where it is measured, not a draw of it. Given x, u tells of x0
    what one measurement of precision ``a^2 / s^2 - 1 / sigma^2``, if positive, would tell.

    ``u``: the measured coefficients. ``precision``: ``a^2 / s^2``, 0 where nothing is measured.
    ``basis``: how images and coefficients become each other; ``None`` where images are given by
    their coefficients.
    """

    u: Tensor
    precision: Tensor
    basis: SVD | Basis | None = None

    def state(self, clean: Tensor, sigma: float, rng: SampleRNG) -> Tensor:
        """x at the level ``sigma``, given a draw ``clean`` of the image: (b, \\*shape)."""
        noise = rng.normal_like(clean)
        ratio = sigma**2 * self.precision
        correlation = torch.minimum(ratio, 1 / ratio.clamp_min(1.0))
        moved = sigma * ((1 - correlation).sqrt_() - 1) * self.coefficients(noise)
        del correlation
        moved += ratio.clamp_max_(1.0) * (self.u - self.coefficients(clean))
        del ratio
        noise = clean + noise.mul_(sigma)
        return noise.add_(moved if self.basis is None else self.basis.v(moved))

    def beyond(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        """What u tells of x0 and ``x``, a state of level ``sigma``, does not.

        Coefficients, and the precision with which they are told.
        """
        ratio = sigma**2 * self.precision
        asked = ratio > 1 + MARGIN
        more = torch.where(asked, ratio - 1, 1.0)
        told = (ratio * self.u).sub_(self.coefficients(x)).div_(more)
        del ratio
        return told.where(asked, 0), more.div_(sigma**2).where(asked, 0.0)

    def known(self, sigma: float) -> Tensor:
        """Share of the variance of a state's coefficients that is of y, not of the draw."""
        return (sigma**2 * self.precision).clamp_max_(1.0)

    def coefficients(self, x: Tensor) -> Tensor:
        """Coefficients of images on the singular vectors."""
        return x if self.basis is None else self.basis.vh(x)
