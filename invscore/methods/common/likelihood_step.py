"""Draws from the likelihood times a Gaussian."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.methods.common.tempering import tempering
from invscore.operators import LinearOperator
from invscore.operators.base import broadcast
from invscore.operators.cg import inner
from invscore.rng import SampleRNG

FALL = 20.0
"""Largest loss of log-density of a step, in nats for each number."""


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
    Where the operator bends so much elsewhere that a step loses more log-density than draws differ
    by (``FALL``), it is not made, and those that follow are half as long.
    """
    if isinstance(problem.operator, LinearOperator) and isinstance(problem.noise, GaussianNoise):
        operator, y, variance = problem.linear_gaussian("draw_given")
        rho = variance / sigma**2
        perturbed = problem.noise.sample(y, rng)
        around = centre + sigma * rng.normal_like(centre)
        return around + operator.ridge(perturbed - operator.matvec(around), rho)

    # 1 / (1 / sigma^2 + |J|^2 / s^2), the time in which the stiffest direction forgets.
    time = step_size * sigma**2 * tempering(problem, centre)(sigma)
    numbers = (2 if centre.is_complex() else 1) * centre[0].numel()

    def log_density(z: Tensor) -> Tensor:
        away = z - centre
        return problem.log_likelihood(z) - inner(away, away).flatten() / (2 * sigma**2)

    z, reached = centre, log_density(centre)
    for _ in range(mcmc_steps):
        gradient = problem.score(z) + (centre - z) / sigma**2
        proposal = z + time * gradient + (2 * time).sqrt() * rng.normal_like(z)
        there = log_density(proposal)
        made = there > reached - FALL * numbers  # what is not a number is not
        reached = torch.where(made, there, reached)
        kept = broadcast(made.to(reached.dtype), z)
        z = torch.where(kept > 0, proposal, z)
        time = (0.5 + 0.5 * kept) * time
    return z
