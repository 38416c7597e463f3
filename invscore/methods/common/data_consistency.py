"""Data consistency of a noisy image, which replaces what has been measured of it."""

from __future__ import annotations

from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.methods.common.tempering import mean_variance
from invscore.operators import jacobian
from invscore.rng import SampleRNG


def replacement(
    problem: InverseProblem, x: Tensor, about: Tensor, sigma: float, lam: float, rng: SampleRNG
) -> Tensor:
    """The change to add to ``x``, of noise level ``sigma``, so that its measured part is that of y.

    ``(A^H A + rho I)^-1 A^H (y + sigma A z - A x)``, ``rho = lam s^2 / sigma^2``, with s^2 the mean
    variance of y. That is the projection on ``A x = y + sigma A z`` where s is small, and fades out
    where s exceeds sigma. An operator that is not linear is replaced by its tangent at ``about``.
    """
    tangent = jacobian(problem.operator, about)
    noised = problem.residual(about) + tangent.matvec(about + sigma * rng.normal_like(x) - x)
    rho = lam * mean_variance(problem) / sigma**2
    return tangent.ridge(noised, rho)
