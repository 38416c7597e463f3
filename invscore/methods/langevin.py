"""Annealed Langevin dynamics."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

from invscore import levels
from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.common.initial_guess import Initial, initial_guess
from invscore.methods.common.tempering import tempering
from invscore.options.ranges import Count, Level, Rate
from invscore.priors.base import Prior
from invscore.rng import SampleRNG


@register(
    "langevin",
    exact=True,
    law="posterior of a Gaussian prior as sigma_min goes to 0 and steps grow, at any step_size; "
    "elsewhere as step_size goes to 0 and per_level grows too",
    evaluations="per_level",
    cites="Song & Ermon 2019, Algorithm 1; Jalal et al. 2021, Eq. 5; the noise of Leimkuhler & "
    "Matthews 2013",
)
def langevin(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count = 200,
    per_level: Count = 3,
    step_size: Rate = 0.5,
    sigma_min: Level | None = None,
    initial: Initial = "guess",
) -> Iterator[Step]:
    """Annealed Langevin dynamics.

    Moves along prior score plus likelihood score. At each of ``steps`` geometric levels sigma,
    ``per_level`` times, a step of length ``a = (1 - exp(-step_size)) sigma^2``,

        ``x += a (score(x, sigma) + w grad log p(y | x)) + sqrt(2 a) (z + z') / 2``,

    where z is the noise of the step before and z' is fresh: with the mean of the two, a Gaussian is
    kept as it is whatever the step, in its narrow directions and in its wide ones (Leimkuhler &
    Matthews 2013). The weight ``w = s^2 / (s^2 + |A|^2 sigma^2)`` lets the likelihood know that x
    still carries noise, and keeps the step stable at every level. The last step of a level shrinks
    what the denoiser takes for noise to the next one. At the last level x has the posterior's law,
    up to sigma_min: that of a Gaussian prior as ``steps`` grow and ``sigma_min`` goes to 0, at any
    ``step_size``; any other's as ``step_size`` goes to 0 and ``per_level`` grows too. Serves any
    operator and noise.

    ``step_size``: in units of sigma^2. ``sigma_min``: the last level, in image units (default:
    the finest that the prior knows).
    ``initial``: a first ``"guess"``, or ``"noise"`` as in the paper (``initial_guess``).

    After the example of ``invscore.methods``:

    >>> result = reconstruct(problem, prior, method="langevin", samples=4, steps=50)
    >>> bool((result.mean - exact.mean).abs().mean() < 0.1)
    True
    """
    low = levels.finest(prior) if sigma_min is None else sigma_min
    sigmas = levels.geometric(steps, levels.widest(prior), low)
    x = initial_guess(problem, prior, sigmas[0], rng, initial)
    weight = tempering(problem, x)
    kept = math.exp(-step_size)
    before = rng.normal_like(x)
    for sigma, lower in pairwise([*sigmas, sigmas[-1]]):
        for landing in [sigma] * (per_level - 1) + [lower]:
            denoised = prior.denoise(x, sigma)
            corrected = denoised + sigma**2 * weight(sigma) * problem.score(x)
            fresh = rng.normal_like(x)
            noise = ((1 - kept) / 2) ** 0.5 * landing * (before + fresh)
            x = corrected + kept * landing / sigma * (x - corrected) + noise
            before = fresh
        yield Step(x, denoised, lower)
