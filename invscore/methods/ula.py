"""The unadjusted Langevin algorithm."""

from __future__ import annotations

from collections.abc import Iterator

from invscore import levels
from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.common.initial_guess import Initial, initial_guess
from invscore.methods.common.log_posterior import LogPosterior
from invscore.options.ranges import Count, Level, StableStep
from invscore.priors.base import Prior
from invscore.rng import SampleRNG


@register(
    "ula",
    exact=True,
    law="posterior as step_size and sigma go to 0 and steps grow",
    cites="Roberts & Tweedie 1996, Sec. 1.4; Laumont et al. 2022 (PnP-ULA), Algorithm 1",
)
def ula(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count = 1000,
    step_size: StableStep = 0.5,
    sigma: Level | None = None,
    initial: Initial = "guess",
) -> Iterator[Step]:
    """Unadjusted Langevin algorithm (PnP-ULA).

    A chain on the posterior, its prior smoothed by sigma.

    ``x += a (grad log p(y | x) + score(x, sigma)) + sqrt(2 a) z``, with a fixed
    ``a = step_size / (1 / sigma^2 + |A|^2 / s^2)``. The law of x after many steps has a bias of
    order ``step_size`` (directions of the greatest curvature are too wide, by ``1 / (1 - a c / 2)``
    in variance at curvature c), to which that of ``sigma`` adds. It mixes slowly, as steps suit the
    narrowest direction: ``langevin`` anneals, ``mala`` corrects. Serves any operator and noise.

    ``steps``: denoiser evaluations. ``step_size``: below 2 for stability. ``sigma``: smoothing of
    the prior, in image units (default: 0.1 standard deviations of a pixel).
    ``initial``: a first ``"guess"``, or ``"noise"`` of the prior's mean and variance
    (``initial_guess``).

    After the example of ``invscore.methods``:

    >>> result = reconstruct(problem, prior, method="ula", samples=4, steps=100)
    >>> bool((result.mean - exact.mean).abs().mean() < 0.1)
    True
    """
    level = levels.smoothing(prior) if sigma is None else sigma
    log_posterior = LogPosterior(problem, prior, level)
    x = initial_guess(problem, prior, level, rng, initial)
    time = step_size * log_posterior.step_size(x)
    for _ in range(steps):
        gradient, denoised = log_posterior.gradient(x)
        x = x + time * gradient + (2 * time).sqrt() * rng.normal_like(x)
        yield Step(x, denoised, level)
