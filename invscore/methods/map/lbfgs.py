"""Maximum a posteriori estimation by a quasi-Newton method of limited memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import torch
from torch import Tensor

from invscore import levels
from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.common.initial_guess import Initial
from invscore.methods.common.log_posterior import LogPosterior
from invscore.methods.map.ascent import Point, anneal
from invscore.operators.cg import inner
from invscore.options.ranges import Count, Level, Share
from invscore.priors.base import Prior
from invscore.rng import SampleRNG

Pair = tuple[Tensor, Tensor, Tensor]
"""A move, by how much the gradient fell on it, and the inverse of the product of both."""


@register(
    "map_lbfgs",
    exact=False,
    law="point estimate: a mode of the posterior, the prior smoothed by sigma",
    evaluations="2",
    cites="Nocedal & Wright 2006, Algorithms 7.4 and 7.5",
)
def map_lbfgs(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count = 200,
    annealing: Share = 0.5,
    sigma: Level | None = None,
    memory: Count = 10,
    initial: Initial = "guess",
) -> Iterator[Step]:
    """Maximum a posteriori by L-BFGS.

    The image that maximises ``log p(y | x) + log p_sigma(x)``. After the homotopy of ``map``, steps
    ``t H g``: g is the gradient, H the inverse of the curvature as the last ``memory`` moves tell
    it, and t is 1, halved as long as the step is not accepted (see ``map``). Each image of a batch
    has its own H and t. A point estimate; serves any operator and noise.

    ``steps``: gradient evaluations. ``annealing``: share of them spent on the homotopy, 0 to 1.
    ``sigma``: the final smoothing in image units (default: twice the finest level of the prior).
    ``memory``: moves that are kept, two images each.
    ``initial``: a first ``"guess"``, or ``"noise"`` of the prior's mean and variance
    (``initial_guess``).

    After the example of ``invscore.methods``:

    >>> result = reconstruct(problem, prior, method="map_lbfgs", steps=20)
    >>> bool((result.mean - exact.mean).abs().mean() < 0.02)
    True
    """
    final = levels.known(prior, 2 * levels.finest(prior)) if sigma is None else sigma
    count = round(annealing * steps)
    x = yield from anneal(problem, prior, rng, count, final, initial)
    log_posterior = LogPosterior(problem, prior, final)
    point, step_size = Point.unseen(log_posterior, x), log_posterior.step_size(x)
    pairs: deque[Pair] = deque(maxlen=memory)
    stretch = torch.ones_like(step_size)
    for _ in range(steps - count):
        trial = Point.seen(
            log_posterior, point.x + stretch * climb(point.gradient, pairs, step_size)
        )
        accepted = point.accepts(trial)
        move, fall = trial.x - point.x, point.gradient - trial.gradient
        curvature = inner(move, fall)
        # A refused step leaves an empty pair, so that a bad memory is soon forgotten.
        good = accepted & (curvature > 1e-10 * inner(fall, fall) * step_size)
        pairs.append((move, fall, torch.where(good, 1 / curvature, 0.0)))
        step_size = torch.where(good, curvature / inner(fall, fall), step_size)
        stretch = torch.where(accepted, 1.0, 0.5 * stretch)
        point = point.or_if(accepted, trial)
        yield Step(point.x, point.denoised, final)


def climb(gradient: Tensor, pairs: deque[Pair], step_size: Tensor) -> Tensor:
    """``H gradient`` by the two loops over the pairs, from ``step_size`` times the identity."""
    shares = []
    for move, fall, inverse in reversed(pairs):
        shares.append(inverse * inner(move, gradient))
        gradient = gradient - shares[-1] * fall
    direction = step_size * gradient
    for (move, fall, inverse), share in zip(pairs, reversed(shares), strict=True):
        direction = direction + (share - inverse * inner(fall, direction)) * move
    return direction
