"""Denoisers that know the measurement, and the sampler that they serve."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from torch import Tensor

from invscore import levels
from invscore.likelihood import InverseProblem
from invscore.methods.base import Step
from invscore.methods.common.initial_guess import initial_guess
from invscore.operators import jacobian
from invscore.operators.cg import conjugate_gradient
from invscore.priors.base import Prior
from invscore.rng import SampleRNG
from invscore.sampling import ddim_step


def sample_posterior(
    denoiser: Callable[[Tensor, float], Tensor],
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: int,
    eta: float,
    sigma_max: float | None,
) -> Iterator[Step]:
    """DDIM on DDPM's schedule with ``denoiser(x, sigma)``, an estimate of ``E[x0 | x, y]``.

    ``sigma_max``: the first level, by default 4 standard deviations of a pixel. At far larger ones,
    errors of a network's Jacobian are multiplied by sigma^2 and the iteration can diverge.
    """
    high = min(prior.sigma_max, 4 * prior.variance**0.5) if sigma_max is None else sigma_max
    sigmas = levels.ddpm(steps, prior, high)
    x = initial_guess(problem, prior, sigmas[0], rng)
    for sigma, lower in pairwise(sigmas):
        denoised = denoiser(x, sigma)
        x = ddim_step(x, denoised, sigma, lower, eta, rng)
        yield Step(x, denoised, lower)


def matched_gradient(
    problem: InverseProblem,
    denoised: Tensor,
    covariance: Callable[[Tensor], Tensor],
    *,
    iterations: int = 200,
) -> Tensor:
    """The gradient of ``log N(y; A(D), S + A C A^H)`` in ``D``, C held fixed.

    ``A^H (S + A C A^H)^-1 (y - A(D))`` by conjugate gradients, where ``covariance`` applies C, the
    positive semi-definite covariance of the clean image about ``D = denoised``, S is the variance
    of the measurement at A(D) and A stands for its own Jacobian at D where it is not linear. At
    C = 0 it is ``problem.score(denoised)``.
    """
    clean = problem.operator(denoised)
    variance = problem.noise.variance(clean)
    tangent = jacobian(problem.operator, denoised)

    def apply(u: Tensor) -> Tensor:
        return variance * u + tangent.matvec(covariance(tangent.rmatvec(u)))

    explained = conjugate_gradient(apply, problem.y - clean, iterations=iterations)
    return tangent.rmatvec(explained)
