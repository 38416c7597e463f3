"""Regularisation by denoising."""

from __future__ import annotations

from collections.abc import Iterator

from invscore import levels
from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.common.initial_guess import Initial, initial_guess
from invscore.methods.common.tempering import mean_variance, squared_norm
from invscore.operators.base import broadcast
from invscore.options.ranges import Count, Level, Weight
from invscore.priors.base import Prior
from invscore.rng import SampleRNG


@register(
    "red",
    exact=False,
    law="point estimate: where data term and denoiser balance at one level",
    cites="Romano et al. 2017, Eq. 32 and Sec. 5.2",
)
def red(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count = 200,
    lam: Weight = 0.2,
    sigma: Level | None = None,
    initial: Initial = "guess",
) -> Iterator[Step]:
    """Regularisation by denoising (RED).

    Descent on data term and ``lam x . (x - D(x)) / 2 sigma^2``.

    ``x += m (grad log p(y | x) + lam (D(x, sigma) - x) / sigma^2)``, with the paper's gradient of
    the regulariser, that of denoisers whose Jacobian is symmetric and which scale with the image.
    As ``D - x`` is sigma^2 times the score, ``lam`` 1 climbs to the mode of the posterior with the
    prior smoothed by sigma. The step m is the inverse of ``|A|^2 / s^2 + lam / sigma^2``. Serves
    any operator and noise. A point estimate.

    ``steps``: denoiser evaluations. ``lam``: weight of the prior; 0.2 is that of the paper's
    experiments in these units. ``sigma``: the level of the denoiser, in image units (default: 0.08
    standard deviations of a pixel under the prior, the paper's 5/255).
    ``initial``: a first ``"guess"``, or ``"noise"`` of the prior's mean and variance
    (``initial_guess``).

    After the example of ``invscore.methods``:

    >>> result = reconstruct(problem, prior, method="red", steps=50)
    >>> bool((result.mean - exact.mean).abs().mean() < 0.1)
    True
    """
    level = levels.of_pixel(prior, 0.08) if sigma is None else sigma
    x = initial_guess(problem, prior, 0.0, rng, initial)
    curvature = squared_norm(problem, x) / broadcast(mean_variance(problem), x) + lam / level**2
    for _ in range(steps):
        denoised = prior.denoise(x, level)
        x = x + (problem.score(x) + lam * (denoised - x) / level**2) / curvature
        yield Step(x, denoised, level)
