"""Predictor-corrector sampling with data consistency."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from torch import Tensor

from invscore import levels
from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.start import begin
from invscore.priors.base import Prior
from invscore.rng import SampleRNG


@register(
    "pc",
    exact=False,
    needs=("linear", "gaussian"),
    cites="Song et al. 2021, Algorithm 2; Song et al. 2022, Algorithm 2",
)
def pc(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: int = 1000,
    snr: float = 0.16,
    mixing: float = 1.0,
) -> Iterator[Step]:
    """Predictor-corrector sampling; the noised measurement is mixed in after every update.

    On ``steps`` geometric levels: a reverse-diffusion predictor, then a Langevin corrector with
    step ``2 (snr sigma)^2``, the papers' rule with the norm of the score at its typical value
    (which, unlike the score's own, cannot vanish). After each, the measured part is replaced:
    ``x += mixing (A^H A + rho I)^-1 A^H (y + sigma A z - A x)`` with ``rho = s^2 / sigma^2``, which
    is the projection of the papers where s is small, and fades out where the measurement's own
    noise s exceeds sigma. Two denoiser evaluations a step. Biased.

    ``snr``: the paper's r, 0.16. ``mixing``: the paper's lambda, 0 (ignore y) to 1.
    """
    operator, y, variance = problem.linear_gaussian("pc")

    def consistent(x: Tensor, sigma: float) -> Tensor:
        noised = y + sigma * operator.matvec(rng.normal_like(x))
        mismatch = operator.rmatvec(noised - operator.matvec(x))
        return x + mixing * operator.solve(mismatch, variance / sigma**2)

    sigmas = levels.geometric(steps + 1, levels.widest(prior), levels.finest(prior))
    x = begin(problem, prior, sigmas[0], rng)
    for sigma, lower in pairwise(sigmas):
        drop = sigma**2 - lower**2
        x = x + drop * prior.score(x, sigma) + drop**0.5 * rng.normal_like(x)
        x = consistent(x, lower)

        score, z = prior.score(x, lower), rng.normal_like(x)
        pace = 2 * (snr * lower) ** 2
        x = x + pace * score + (2 * pace) ** 0.5 * z
        x = consistent(x, lower)
        yield Step(x, x + lower**2 * score, lower)
