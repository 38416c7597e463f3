"""Annealed Langevin dynamics."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from invscore import levels
from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.common.initial_guess import Initial, initial_guess
from invscore.methods.common.tempering import tempering
from invscore.priors.base import Prior
from invscore.ranges import Count, Level, Rate
from invscore.rng import SampleRNG
from invscore.sampling import langevin_step


@register(
    "langevin",
    exact=True,
    law="posterior as step_size and sigma_min go to 0 and per_level grows",
    evaluations="per_level",
    cites="Song & Ermon 2019, Algorithm 1; Jalal et al. 2021, Eq. 5",
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
    """Annealed Langevin dynamics on prior score plus likelihood score.

    At each of ``steps`` geometric levels sigma, ``per_level`` times:
    ``dx = (score(x, sigma) + w grad log p(y | x)) dt + sqrt(2) dW`` for a time
    ``step_size sigma^2``, the denoiser held fixed. The weight ``w = s^2 / (s^2 + |A|^2 sigma^2)``
    lets the likelihood know that x still carries noise, and keeps the step stable at every level.
    Exact as ``step_size`` and ``sigma_min`` go to 0 and ``per_level`` grows: at the last level x
    has the posterior's law, up to sigma_min; at a given ``step_size``, variances far above
    sigma_min^2 are ``1 - (1 - exp(-step_size)) / 2`` of the posterior's, 0.80 by default, however
    many steps there are. Serves any operator and noise.

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
    for sigma, lower in pairwise([*sigmas, sigmas[-1]]):
        for landing in [sigma] * (per_level - 1) + [lower]:
            denoised = prior.denoise(x, sigma)
            corrected = denoised + sigma**2 * weight(sigma) * problem.score(x)
            x = langevin_step(x, corrected, sigma, landing, step_size, rng)
        yield Step(x, denoised, lower)
