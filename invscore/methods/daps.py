"""Decoupled annealing posterior sampling."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from invscore import levels
from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.common.initial_guess import Initial, initial_guess
from invscore.methods.common.likelihood_step import draw_given
from invscore.options.ranges import Count, Level, StableStep
from invscore.priors.base import Prior
from invscore.rng import SampleRNG
from invscore.sampling import ddim_step


@register(
    "daps",
    exact=False,
    law="biased: takes the clean image for Gaussian about the end of the flow",
    evaluations="ode_steps",
    cites="Zhang et al. 2024, Algorithm 1",
)
def daps(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count = 200,
    ode_steps: Count = 5,
    mcmc_steps: Count = 100,
    step_size: StableStep = 0.2,
    sigma_max: Level | None = None,
    sigma_min: Level | None = None,
    initial: Initial = "guess",
) -> Iterator[Step]:
    """Decoupled annealing posterior sampling (DAPS).

    Follows the flow to a clean image, draws about it given y, adds noise. At each level sigma the
    probability-flow ODE leads from x to ``x0``, an image is drawn from ``p(y | z) N(z; x0, sigma^2
    I)``, and noise of the next level is added to it. States of neighbouring levels are tied by that
    image alone, so that early errors can be undone. The draw is exact with a linear operator and
    Gaussian noise, otherwise by Langevin dynamics. Serves any operator and noise. Biased.

    ``steps``: levels, spaced as in Karras et al. 2022, Eq. 5. ``ode_steps``: denoiser evaluations a
    level, by Euler's rule. ``mcmc_steps``: Langevin steps a level where they are needed, of length
    ``step_size`` over the curvature at x0. ``sigma_max``, ``sigma_min``: first and last level, in
    image units (default: 20 standard deviations of a pixel, and 0.1 in the units of [-1, 1]).
    ``initial``: a first ``"guess"``, or ``"noise"`` as in the paper (``initial_guess``).

    After the example of ``invscore.methods``:

    >>> result = reconstruct(problem, prior, method="daps", samples=4, steps=50)
    >>> bool((result.mean - exact.mean).abs().mean() < 0.15)
    True
    """
    high = levels.widest(prior) if sigma_max is None else sigma_max
    low = levels.known(prior, 0.1 * prior.unit) if sigma_min is None else sigma_min
    end = min(low, levels.known(prior, 0.01 * prior.unit))
    sigmas = levels.karras(steps, high, low)
    x = initial_guess(problem, prior, sigmas[0], rng, initial)
    for sigma, lower in pairwise(sigmas):
        clean = x
        for upper, under in pairwise(levels.karras(ode_steps, sigma, end)):
            clean = ddim_step(clean, prior.denoise(clean, upper), upper, under, 0.0, rng)
        drawn = draw_given(problem, clean, sigma, rng, mcmc_steps=mcmc_steps, step_size=step_size)
        x = drawn + lower * rng.normal_like(drawn)
        yield Step(x, drawn, lower)
