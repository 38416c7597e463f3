"""Maximum a posteriori estimation by gradient ascent with a learned score."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from invscore import levels
from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.start import begin
from invscore.methods.tempering import tempering
from invscore.operators.cg import inner
from invscore.priors.base import Prior
from invscore.rng import SampleRNG


@register(
    "map",
    exact=False,
    law="point estimate: a mode of the posterior, the prior smoothed by sigma",
    cites="Hyvärinen 2005; backtracking: Hager & Zhang 2005, Eq. 4.1",
)
def maximum_a_posteriori(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: int = 200,
    annealing: float = 0.5,
    sigma: float | None = None,
) -> Iterator[Step]:
    """The image that maximises ``log p(y | x) + log p_sigma(x)``, by gradient ascent.

    ``p_sigma`` is the prior smoothed by ``sigma``, known through its score. A homotopy leads
    there: during the first share ``annealing`` of the steps the smoothing falls from the width of
    the prior to ``sigma``, the likelihood tempered so that steps of level^2 / 2 suit both. The
    remaining steps climb the true objective. The learned score has no potential to compare,
    so a step is accepted when the derivative along it has not fallen below -0.8 times its start
    (the approximate Armijo condition), else halved. A point estimate; serves any operator and
    noise.

    ``steps``: gradient evaluations. ``annealing``: share of them spent on the homotopy, 0 to 1.
    ``sigma``: the final smoothing in image units (default: twice the finest level of the prior).
    """
    final = 2 * levels.finest(prior) if sigma is None else sigma
    count = round(annealing * steps)
    wide = prior.variance**0.5
    x = begin(problem, prior, wide, rng)
    weight = tempering(problem, x)
    for level in levels.geometric(count, wide, final):
        denoised = prior.denoise(x, level)
        uphill = (denoised - x) / level**2 + weight(level) * problem.score(x)
        x = x + level**2 / 2 * uphill
        yield Step(x, denoised, level)

    gradient = torch.zeros_like(x)
    pace = weight(final) * final**2
    for _ in range(steps - count):
        trial = x + pace * gradient
        denoised = prior.denoise(trial, final)
        uphill = (denoised - trial) / final**2 + problem.score(trial)
        accepted = inner(uphill, gradient) >= -0.8 * inner(gradient, gradient)
        x = torch.where(accepted, trial, x)
        gradient = torch.where(accepted, uphill, gradient)
        pace = torch.where(accepted, 1.5 * pace, 0.5 * pace)
        yield Step(x, denoised, final)
