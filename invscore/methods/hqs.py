"""Plug-and-play restoration by half-quadratic splitting."""

from __future__ import annotations

from collections.abc import Iterator

from invscore import levels
from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.common.equivariant_denoiser import EquivariantDenoiser
from invscore.methods.common.initial_guess import Initial, initial_guess
from invscore.methods.common.proximal import at_least_zero, proximal
from invscore.options.ranges import Count, Level, Weight
from invscore.priors.base import Prior
from invscore.rng import SampleRNG


@register(
    "hqs",
    exact=False,
    law="point estimate: data term and denoiser in turn, down the levels",
    cites="Zhang et al. 2021 (DPIR), Algorithm 1",
)
def hqs(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count = 24,
    lam: Weight = 4.0,
    sigma_max: Level | None = None,
    sigma_min: Level | None = None,
    initial: Initial = "guess",
    nonnegative: bool = False,
) -> Iterator[Step]:
    """Plug-and-play half-quadratic splitting (DPIR).

    Fits the data and denoises in turn, at a falling noise level.

    ``x = argmin -log p(y | x) + lam |x - z|^2 / (2 sigma^2)``, then ``z = D(x, sigma)``, over
    ``steps`` geometric levels. At a level that stays, with ``lam`` 1 and a Gaussian prior, x
    converges to the mode of the posterior with the prior smoothed by sigma. Serves any operator and
    noise; the first step is exact where both are linear and Gaussian. A symmetric prior is
    evaluated at rotated and mirrored images, as the paper does ("periodical geometric
    self-ensemble"). A point estimate.

    ``steps``: denoiser evaluations; the paper has 8 to 24. ``lam``: weight of the prior; with the
    paper's, 0.23, what `photos-gray` makes of the zeros of a blur grows from step to step.
    ``sigma_max``, ``sigma_min``: the first and the last level, in image units (default: 0.8 and
    0.04 standard deviations of a pixel under the prior; the paper's are 49/255 and the noise of
    the measurement, on images of a deviation near 1/4). ``nonnegative``: x and z are nowhere below
    zero, as intensities are.
    ``initial``: a first ``"guess"``, or ``"noise"`` of the prior's mean and variance
    (``initial_guess``).

    After the example of ``invscore.methods``:

    >>> result = reconstruct(problem, prior, method="hqs", lam=4.0)
    >>> bool((result.mean - exact.mean).abs().mean() < 0.1)
    True
    """
    denoise = EquivariantDenoiser(prior, rng)
    z = initial_guess(problem, prior, 0.0, rng, initial)
    for sigma in levels.annealed(prior, steps, sigma_max, sigma_min):
        x = proximal(problem, z, sigma / lam**0.5, nonnegative=nonnegative)
        z = denoise(x, sigma)
        z = at_least_zero(z) if nonnegative else z
        yield Step(z, z, sigma)
