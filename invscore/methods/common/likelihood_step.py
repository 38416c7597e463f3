"""Draws from the likelihood times a Gaussian."""

from __future__ import annotations

from torch import Tensor

from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.methods.common.tempering import tempering
from invscore.operators import LinearOperator
from invscore.rng import SampleRNG


def draw_given(
    problem: InverseProblem,
    centre: Tensor,
    sigma: float,
    rng: SampleRNG,
    *,
    mcmc_steps: int,
    step_size: float,
) -> Tensor:
    """A draw from ``p(y | z) N(z; centre, sigma^2 I)``, one an image.

    Exact with a linear operator and Gaussian noise s: the solution of
    ``(A^H A + rho I) z = A^H (y + s n) + rho (centre + sigma n')`` with ``rho = s^2 / sigma^2``
    (Papandreou & Yuille 2010, Sec. 3). Otherwise the end of ``mcmc_steps`` steps of unadjusted
    Langevin dynamics from the centre, each ``step_size`` over a bound on the curvature of the
    log-density at the centre: exact as ``step_size`` goes to 0 and ``mcmc_steps`` grows faster.
    """
    if isinstance(problem.operator, LinearOperator) and isinstance(problem.noise, GaussianNoise):
        operator, y, variance = problem.linear_gaussian("draw_given")
        rho = variance / sigma**2
        perturbed = problem.noise.sample(y, rng)
        around = centre + sigma * rng.normal_like(centre)
        return around + operator.ridge(perturbed - operator.matvec(around), rho)

    # 1 / (1 / sigma^2 + |J|^2 / s^2), the time in which the stiffest direction forgets.
    time = step_size * sigma**2 * tempering(problem, centre)(sigma)
    z = centre
    for _ in range(mcmc_steps):
        gradient = problem.score(z) + (centre - z) / sigma**2
        z = z + time * gradient + (2 * time).sqrt() * rng.normal_like(z)
    return z
