"""Plug-and-play restoration by the alternating direction method of multipliers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch

from invscore import levels
from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.common.initial_guess import Initial, initial_guess
from invscore.methods.common.proximal import at_least_zero, proximal
from invscore.options.ranges import Count, Level, Weight
from invscore.priors.base import Prior
from invscore.rng import SampleRNG


@register(
    "admm",
    exact=False,
    law="point estimate: the mode of the posterior of a Gaussian prior, a fixed point elsewhere",
    cites="Venkatakrishnan et al. 2013, Algorithm 2; Chan et al. 2017, Algorithm 1",
)
def admm(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count = 50,
    lam: Weight = 1.0,
    sigma_max: Level | None = None,
    sigma_min: Level | None = None,
    initial: Initial = "guess",
    nonnegative: bool = False,
) -> Iterator[Step]:
    """Plug-and-play ADMM.

    Fits the data, denoises, and carries the difference over to the next step.

    ``x = argmin -log p(y | x) + lam |x - (v - u)|^2 / (2 sigma^2)``, ``v = D(x + u, sigma)``,
    ``u += x - v``, over ``steps`` geometric levels, ``u / sigma^2`` kept from one to the next. The
    multiplier u undoes the shrinkage by the denoiser: with a Gaussian prior and ``lam`` 1, any
    level that stays leads to the mode of the posterior itself, no smoothing left. Serves any
    operator and noise; the first step is exact where both are linear and Gaussian. A point
    estimate.

    ``steps``: denoiser evaluations. ``lam``: weight of the prior. ``sigma_max``, ``sigma_min``: the
    first and the last level, in image units (default: 0.8 and 0.04 standard deviations of a pixel
    under the prior). ``nonnegative``: images below zero are ruled out by the data term, and cut off
    what is returned.
    ``initial``: a first ``"guess"``, or ``"noise"`` of the prior's mean and variance
    (``initial_guess``).

    After the example of ``invscore.methods``:

    >>> result = reconstruct(problem, prior, method="admm", steps=20)
    >>> bool((result.mean - exact.mean).abs().mean() < 0.05)
    True
    """
    v = initial_guess(problem, prior, 0.0, rng, initial)
    u = torch.zeros_like(v)
    sigmas = levels.annealed(prior, steps, sigma_max, sigma_min)
    for sigma, lower in pairwise([*sigmas, sigmas[-1]]):
        x = proximal(problem, v - u, sigma / lam**0.5, nonnegative=nonnegative)
        v = prior.denoise(x + u, sigma)
        u = (lower / sigma) ** 2 * (u + x - v)
        answer = at_least_zero(v) if nonnegative else v
        yield Step(answer, answer, sigma)
