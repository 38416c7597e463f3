"""Maximum a posteriori estimation by gradient ascent with a learned score."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from invscore import levels
from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.common.initial_guess import Initial
from invscore.methods.common.log_posterior import LogPosterior
from invscore.methods.common.proximal import at_least_zero
from invscore.methods.map.ascent import Point, anneal
from invscore.options.ranges import Count, Level, Share
from invscore.priors.base import Prior
from invscore.rng import SampleRNG


@register(
    "map",
    exact=False,
    law="point estimate: a mode of the posterior, the prior smoothed by sigma",
    evaluations="2",
    cites="Hyvärinen 2005; backtracking: Hager & Zhang 2005, Eq. 4.1",
)
def maximum_a_posteriori(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count = 200,
    annealing: Share = 0.5,
    sigma: Level | None = None,
    initial: Initial = "guess",
    nonnegative: bool = False,
) -> Iterator[Step]:
    """Maximum a posteriori by gradient ascent.

    The image that maximises ``log p(y | x) + log p_sigma(x)``.

    ``p_sigma`` is the prior smoothed by ``sigma``, known through its score. A homotopy leads
    there: during the first share ``annealing`` of the steps the smoothing falls from the width of
    the prior to ``sigma``, the likelihood tempered so that steps of level^2 / 2 suit both. The
    remaining steps climb the true objective, each accepted or halved by Armijo's condition; most
    learned scores have no potential to compare, and then the derivative along the step decides.
    A point estimate; serves any operator and noise. ``map_accelerated`` and ``map_lbfgs`` need
    fewer steps.

    ``steps``: gradient evaluations. ``annealing``: share of them spent on the homotopy, 0 to 1.
    ``sigma``: the final smoothing in image units (default: twice the finest level of the prior).
    ``nonnegative``: the maximum among images that are nowhere below zero, by projected gradients
    (Bertsekas 1976).
    ``initial``: a first ``"guess"``, or ``"noise"`` of the prior's mean and variance
    (``initial_guess``).

    After the example of ``invscore.methods``:

    >>> result = reconstruct(problem, prior, method="map", steps=50)
    >>> bool((result.mean - exact.mean).abs().mean() < 0.02)
    True
    """
    final = levels.known(prior, 2 * levels.finest(prior)) if sigma is None else sigma
    count = round(annealing * steps)
    x = yield from anneal(problem, prior, rng, count, final, initial, nonnegative=nonnegative)
    log_posterior = LogPosterior(problem, prior, final)
    point, step_size = Point.unseen(log_posterior, x), log_posterior.step_size(x)
    for _ in range(steps - count):
        ahead = point.x + step_size * point.gradient
        trial = Point.seen(log_posterior, at_least_zero(ahead) if nonnegative else ahead)
        accepted = point.accepts(trial)
        point = point.or_if(accepted, trial)
        step_size = torch.where(accepted, 1.5 * step_size, 0.5 * step_size)
        yield Step(point.x, point.denoised, final)
