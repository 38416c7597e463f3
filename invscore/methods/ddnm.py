"""Denoising diffusion null-space model, for noisy measurements."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from torch import Tensor

from invscore import levels
from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.common.initial_guess import Initial, initial_guess
from invscore.options.ranges import Count, SomeShare
from invscore.priors.base import Prior
from invscore.rng import SampleRNG


@register(
    "ddnm",
    exact=False,
    law="biased: replaces measured coefficients, does not condition on them",
    needs=("linear", "gaussian"),
    evaluations="repeats",
    cites="Wang et al. 2023, Algorithm 2 (DDNM+)",
)
def ddnm(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count = 100,
    eta: SomeShare = 0.85,
    travel: Count = 1,
    repeats: Count = 1,
    initial: Initial = "guess",
) -> Iterator[Step]:
    """Denoising diffusion null-space model (DDNM+).

    y sets the range of A, D fills the null space.

    ``D + L A^+ (y - A D)`` takes the place of D, and fresh noise of covariance G that of DDIM's.
    L < 1 where the noise of y, carried through ``L A^+``, would exceed the fresh noise of deviation
    ``q = eta sigma``, and G is q^2 less what it carries, so that x has noise of its level whatever
    the singular value a. The paper switches with a; here ``L A^+ = (A^H A + rho I)^-1 A^H`` with
    ``rho = s^2 / (2 q^2)``, that is ``L = a^2 / (a^2 + rho)``, which needs no singular values:
    ``G = q^2 (rho^2 + a^4) / (a^2 + rho)^2`` is the covariance of
    ``q (A^H A + rho I)^-1 (rho z + A^H A z')``. As s goes to 0 both are DDNM. Biased.

    ``steps``: levels of DDPM's schedule. ``eta``: deviation of the fresh noise over that of all,
    above 0. ``travel``, ``repeats``: time travel; every stretch of ``travel`` steps is done
    ``repeats`` times, noise being added in between, for large holes.
    ``initial``: a first ``"guess"``, or ``"noise"`` as in the paper (``initial_guess``).

    After the example of ``invscore.methods``:

    >>> result = reconstruct(problem, prior, method="ddnm", samples=4, steps=50)
    >>> bool((result.mean - exact.mean).abs().mean() < 0.15)
    True
    """
    operator, y, variance = problem.linear_gaussian("ddnm")

    def replaced(denoised: Tensor, fresh: float) -> tuple[Tensor, Tensor]:
        """``D + L A^+ (y - A D)``, and noise of covariance G."""
        rho = variance / (2 * fresh**2)
        fitted = denoised + operator.ridge(y - operator.matvec(denoised), rho)
        z, other = rng.normal_like(denoised), rng.normal_like(denoised)
        return fitted, fresh * (z + operator.ridge(operator.matvec(other - z), rho))

    sigmas = levels.ddpm(steps, prior, levels.widest(prior))
    x = initial_guess(problem, prior, sigmas[0], rng, initial)
    for first in range(0, steps, travel):
        stretch = sigmas[first : first + travel + 1]
        for turn in range(repeats):
            if turn > 0:
                x = x + (stretch[0] ** 2 - stretch[-1] ** 2) ** 0.5 * rng.normal_like(x)
            for sigma, lower in pairwise(stretch):
                denoised = prior.denoise(x, sigma)
                kept = lower * (1 - eta**2) ** 0.5
                x = kept / sigma * (x - denoised)
                if lower > 0:
                    denoised, noise = replaced(denoised, eta * lower)
                    x = x + noise
                x = x + denoised
                if turn == repeats - 1:
                    yield Step(x, denoised, lower)
