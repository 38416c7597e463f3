"""Noise that the state of a sampler has in common with the measurement."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.operators import LinearOperator
from invscore.operators.svd import SVD
from invscore.rng import SampleRNG

MARGIN = 1e-3
"""By how much y must be more precise than x, as a share, before it is asked once more."""


class FreshNoise:
    """States x = x0 + sigma n whose noise knows nothing of the measurement."""

    def __init__(self, problem: InverseProblem, operator: LinearOperator) -> None:
        self._problem, self._operator = problem, operator

    def state(self, clean: Tensor, sigma: float, rng: SampleRNG) -> Tensor:
        """x at the level ``sigma``, given a draw ``clean`` of the image: (b, \\*in_shape)."""
        return clean + sigma * rng.normal_like(clean)

    def beyond(self, x: Tensor, sigma: float) -> tuple[InverseProblem, LinearOperator]:  # noqa: ARG002
        """What is measured of x0 and is not in ``x``: everything."""
        return self._problem, self._operator


class SharedNoise:
    """States x = x0 + sigma n whose noise is as much that of the measurement as it can be.

    A coefficient of the image on the singular vectors is measured as ``u = x0 + s/a n``, a its
    singular value and s the noise of y. Where that is more precise than the level, x is u with
    fresh noise on top, up to the level (Kawar et al. 2022, DDRM, Eq. 7); where it is less, u is x
    with noise on top. Either way the noise of x is white and of the level sigma, and what the
    denoiser sees is the true image where it is measured, not a draw of it. Given x, u tells of x0
    what one measurement of precision ``a^2 / s^2 - 1 / sigma^2``, if positive, would tell.
    """

    def __init__(
        self, problem: InverseProblem, noise: GaussianNoise, operator: LinearOperator, svd: SVD
    ) -> None:
        self._noise, self._operator, self._svd = noise, operator, svd
        self._seen = svd.seen
        self._u = svd.uh(problem.y) / torch.where(self._seen, svd.s, 1.0)
        self._deviation = noise.level(self._u)

    def state(self, clean: Tensor, sigma: float, rng: SampleRNG) -> Tensor:
        """x at the level ``sigma``, given a draw ``clean`` of the image: (b, \\*in_shape)."""
        noise, f = rng.normal_like(clean), self._svd
        ratio = torch.where(self._seen, self._precision(sigma), 0.0)
        correlation = torch.minimum(ratio, 1 / ratio.clamp_min(1.0))
        shared = ratio.clamp_max(1.0) * (self._u - f.vh(clean))
        left = sigma * ((1 - correlation).sqrt() - 1) * f.vh(noise)
        return clean + sigma * noise + f.v(shared + left)

    def beyond(self, x: Tensor, sigma: float) -> tuple[InverseProblem, LinearOperator]:
        """What is measured of x0 and is not in ``x``, a state of level ``sigma``."""
        f, precision = self._svd, self._precision(sigma)
        more = precision - 1
        asked = self._seen & (more > MARGIN)
        root = torch.where(asked, more, 1.0).sqrt()
        unit = self._deviation / sigma
        told = unit * (precision * self._u - f.vh(x)) / root
        operator = Reweighted(self._operator, f, torch.where(asked, unit * root, 0.0))
        y = f.u(torch.where(asked, told, 0))
        return InverseProblem(operator, y, self._noise), operator

    def _precision(self, sigma: float) -> Tensor:
        """That of u over that of x."""
        return (self._svd.s * sigma / self._deviation) ** 2


class Reweighted(LinearOperator):
    """The operator with other singular values, ``values``, those of each image its own."""

    def __init__(self, operator: LinearOperator, svd: SVD, values: Tensor) -> None:
        self.in_shape, self.out_shape = operator.in_shape, operator.out_shape
        self.in_complex, self.out_complex = operator.in_complex, operator.out_complex
        self.measured = operator.measured
        self._svd, self._values = svd, values

    def matvec(self, x: Tensor) -> Tensor:
        return self._svd.u(self._values * self._svd.vh(x))

    def rmatvec(self, y: Tensor) -> Tensor:
        return self._svd.v(self._values * self._svd.uh(y))


def noise_for(problem: InverseProblem, operator: LinearOperator) -> FreshNoise | SharedNoise:
    """Noise in common with y where it can be had, and fresh noise elsewhere.

    It takes Gaussian noise, and a cheap singular value decomposition over the numbers, real or
    complex, that both images and measurements have.
    """
    noise, fresh = problem.noise, FreshNoise(problem, operator)
    if not isinstance(noise, GaussianNoise) or operator.in_complex != operator.out_complex:
        return fresh
    try:
        svd = operator.svd(problem.y.dtype)
    except NotImplementedError:
        return fresh
    return SharedNoise(problem, noise, operator, svd)
