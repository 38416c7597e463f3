"""Maximum a posteriori estimation by accelerated gradient ascent."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from invscore import levels
from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.common.initial_guess import Initial
from invscore.methods.common.log_posterior import LogPosterior
from invscore.methods.map.ascent import Point, anneal
from invscore.options.ranges import Count, Level, Share
from invscore.priors.base import Prior
from invscore.rng import SampleRNG


@register(
    "map_accelerated",
    exact=False,
    law="point estimate: a mode of the posterior, the prior smoothed by sigma",
    evaluations="2",
    cites="Nesterov 1983; restarts: O'Donoghue & Candès 2015, Sec. 3.2",
)
def map_accelerated(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count = 200,
    annealing: Share = 0.5,
    sigma: Level | None = None,
    initial: Initial = "guess",
) -> Iterator[Step]:
    """Maximum a posteriori by accelerated gradient ascent.

    The image that maximises ``log p(y | x) + log p_sigma(x)``, by Nesterov's ascent. After the
    homotopy of ``map``, ``u' = x + a g(x)``, ``x = u' + k / (k + 3) (u' - u)``, where g is the
    gradient and k counts the steps since the last restart. Where the objective has not risen enough
    (or, for a prior without a log-density, its derivative has fallen too far), the step is taken
    back and the momentum dropped; where there was none, a is halved. A point estimate; serves any
    operator and noise.

    ``steps``: gradient evaluations. ``annealing``: share of them spent on the homotopy, 0 to 1.
    ``sigma``: the final smoothing in image units (default: twice the finest level of the prior).
    ``initial``: a first ``"guess"``, or ``"noise"`` of the prior's mean and variance
    (``initial_guess``).

    After the example of ``invscore.methods``:

    >>> result = reconstruct(problem, prior, method="map_accelerated", steps=200)
    >>> bool((result.mean - exact.mean).abs().mean() < 0.02)
    True
    """
    final = levels.known(prior, 2 * levels.finest(prior)) if sigma is None else sigma
    count = round(annealing * steps)
    x = yield from anneal(problem, prior, rng, count, final, initial)
    log_posterior = LogPosterior(problem, prior, final)
    point, step_size = Point.unseen(log_posterior, x), log_posterior.step_size(x)
    previous, age = x, torch.zeros_like(step_size)
    for _ in range(steps - count):
        climbed = point.x + step_size * point.gradient
        trial = Point.seen(log_posterior, climbed + age / (age + 3) * (climbed - previous))
        accepted = point.accepts(trial)
        step_size = torch.where(accepted | (age > 0), step_size, 0.5 * step_size)
        previous = torch.where(accepted, climbed, point.x)
        age = torch.where(accepted, age + 1, 0.0)
        point = point.or_if(accepted, trial)
        yield Step(point.x, point.denoised, final)
