"""The Metropolis-adjusted Langevin algorithm."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from invscore import levels
from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.common.initial_guess import Initial, initial_guess
from invscore.methods.common.log_posterior import LogPosterior
from invscore.operators.base import broadcast
from invscore.operators.cg import inner
from invscore.options.ranges import Count, Level, Rate, Share
from invscore.priors.base import Prior
from invscore.rng import SampleRNG

BEST_ACCEPTANCE = 0.574
"""The share of accepted proposals at which MALA explores fastest (Roberts & Rosenthal 1998)."""


@register(
    "mala",
    exact=True,
    law="posterior as sigma goes to 0 and steps grow, at any step_size",
    needs=("density",),
    evaluations="2",
    cites="Roberts & Tweedie 1996, Sec. 1.4.1",
)
def mala(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count = 1000,
    burn_in: Share = 0.5,
    step_size: Rate = 0.5,
    sigma: Level | None = None,
    initial: Initial = "guess",
) -> Iterator[Step]:
    """Metropolis-adjusted Langevin algorithm (MALA).

    Langevin proposals, accepted or refused so that the law is the posterior's at any step. From x,
    ``x' = x + a g(x) + sqrt(2 a) z`` with g the gradient of ``log p = log p(y | x) + log
    p_sigma(x)`` is accepted with probability ``p(x') q(x | x') / (p(x) q(x' | x))``, q the density
    of proposals. During the first share ``burn_in`` of the steps each chain adapts its own a
    towards an acceptance of 0.574; then a is fixed, and the chain leaves p invariant. Serves any
    operator and noise, and priors with a log-density.

    ``steps``: proposals. ``burn_in``: share of them that adapt, 0 to 1. ``step_size``: the first a,
    in units of ``1 / (1 / sigma^2 + |A|^2 / s^2)``. ``sigma``: smoothing of the prior, in image
    units (default: 0.1 standard deviations of a pixel).
    ``initial``: a first ``"guess"``, or ``"noise"`` of the prior's mean and variance
    (``initial_guess``).

    After the example of ``invscore.methods``:

    >>> result = reconstruct(problem, prior, method="mala", samples=4, steps=100)
    >>> bool((result.mean - exact.mean).abs().mean() < 0.1)
    True
    """
    level = levels.smoothing(prior) if sigma is None else sigma
    log_posterior = LogPosterior(problem, prior, level)
    x = proposal = initial_guess(problem, prior, level, rng, initial)
    log_time = (step_size * log_posterior.step_size(x)).log()
    log_density = torch.full_like(log_time, -torch.inf)  # accepts the first image as it is
    gradient, noise, denoised = torch.zeros_like(x), torch.zeros_like(x), x
    for step in range(steps):
        time = log_time.exp()
        there, denoised_there = log_posterior.gradient(proposal)
        density_there = log_posterior.value(proposal)
        # The noise that would lead back, in the units of the noise that led here.
        back = (x - proposal - time * there) / (2 * time).sqrt()
        log_ratio = density_there - log_density + 0.5 * (inner(noise, noise) - inner(back, back))
        accepted = broadcast(rng.uniform(x), x).log() < log_ratio
        x = torch.where(accepted, proposal, x)
        gradient = torch.where(accepted, there, gradient)
        denoised = torch.where(accepted, denoised_there, denoised)
        log_density = torch.where(accepted, density_there, log_density)
        if 0 < step <= burn_in * steps:
            chance = log_ratio.clamp_max(0).exp()
            log_time = log_time + step**-0.6 * (chance - BEST_ACCEPTANCE)
        noise = rng.normal_like(x)
        proposal = x + log_time.exp() * gradient + (2 * log_time.exp()).sqrt() * noise
        yield Step(x, denoised, level, {"acceptance": accepted})
