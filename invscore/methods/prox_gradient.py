"""Plug-and-play proximal gradient descent that converges."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from invscore import levels
from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.common.initial_guess import Initial, initial_guess
from invscore.methods.common.log_posterior import LogPosterior
from invscore.methods.common.proximal import at_least_zero, proximal
from invscore.operators.cg import inner
from invscore.options.ranges import Count, Level
from invscore.priors.base import Prior
from invscore.rng import SampleRNG


@register(
    "prox_gradient",
    exact=False,
    law="point estimate: a mode of the posterior, the prior smoothed by sigma",
    needs=("density",),
    evaluations="2",
    cites="Hurault et al. 2022, Algorithm 1 and Eq. 22",
)
def prox_gradient(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count = 100,
    sigma: Level | None = None,
    initial: Initial = "guess",
    nonnegative: bool = False,
) -> Iterator[Step]:
    """Plug-and-play proximal gradient descent.

    Descends on a true objective, which falls at every step. Minimises ``-log p(y | x) - log
    p_sigma(x)``: a step along the prior's score, which at length ``t = sigma^2`` is the denoiser
    itself, then the proximal step of the data term, ``x = argmin -log p(y | x) + |x - (x_k + t
    score(x_k))|^2 / (2 t)``. It is accepted where the objective has fallen by ``0.1 |x - x_k|^2 /
    t``, else t is halved; after a success it grows again, to sigma^2 at most. Serves any operator
    and noise, and priors with a log-density. A point estimate.

    ``steps``: trials. ``sigma``: the final smoothing in image units (default: 0.1 standard
    deviations of a pixel under the prior). ``nonnegative``: the objective is minimised among images
    that are nowhere below zero.
    ``initial``: a first ``"guess"``, or ``"noise"`` of the prior's mean and variance
    (``initial_guess``).

    After the example of ``invscore.methods``:

    >>> result = reconstruct(problem, prior, method="prox_gradient", steps=50)
    >>> bool((result.mean - exact.mean).abs().mean() < 0.05)
    True
    """
    level = levels.smoothing(prior) if sigma is None else sigma
    log_posterior = LogPosterior(problem, prior, level)
    x = initial_guess(problem, prior, 0.0, rng, initial)
    x = trial = at_least_zero(x) if nonnegative else x
    share = torch.ones_like(inner(x, x))
    value = torch.full_like(share, -torch.inf)  # accepts the first image as it is
    denoised = x
    for _ in range(steps):
        there, denoised_there = log_posterior.value(trial), prior.denoise(trial, level)
        move = trial - x
        risen = there - value >= 0.1 * inner(move, move) / (share * level**2)
        x = torch.where(risen, trial, x)
        value = torch.where(risen, there, value)
        denoised = torch.where(risen, denoised_there, denoised)
        share = torch.where(risen, 1.5 * share, 0.5 * share).clamp_max(1.0)
        ahead, width = x + share * (denoised - x), level * share.sqrt().flatten()
        trial = proximal(problem, ahead, width, nonnegative=nonnegative)
        yield Step(x, denoised, level)
