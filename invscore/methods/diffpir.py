"""Plug-and-play restoration by denoising diffusion."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from invscore import levels
from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.common.initial_guess import Initial, initial_guess
from invscore.methods.common.proximal import proximal
from invscore.methods.common.renoise import renoise
from invscore.options.ranges import Count, Level, Share, Weight
from invscore.priors.base import Prior
from invscore.rng import SampleRNG


@register(
    "diffpir",
    exact=False,
    law="biased: spreads less than the posterior",
    needs=("linear", "gaussian"),
    cites="Zhu et al. 2023, Algorithm 1",
)
def diffpir(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count = 20,
    lam: Weight = 1.0,
    zeta: Share = 1.0,
    sigma_max: Level | None = None,
    sigma_min: Level | None = None,
    initial: Initial = "guess",
    nonnegative: bool = False,
) -> Iterator[Step]:
    """Plug-and-play restoration along a diffusion (DiffPIR).

    Denoises, fits the data, adds noise again. At level sigma the denoised image is moved to the
    minimiser of ``|y - A z|^2 / (2 s^2) + lam |z - D(x)|^2 / (2 sigma^2)``, then noise of the next
    level is added, a share ``zeta`` of it fresh. Few evaluations and no Jacobian; biased: its
    samples spread less than the posterior.

    ``steps``: denoiser evaluations. ``lam``: weight of the prior. ``zeta``: share of fresh
    noise, 0 to 1. ``sigma_max``, ``sigma_min``: the first and the last level, in image units
    (default: 2 and 0.04 standard deviations of a pixel under the prior), spaced as in Karras et
    al. 2022, Eq. 5. The paper begins at pure noise; our first guess allows a later start, and the
    defaults of all but ``steps`` and ``lam`` are those that validation photographs preferred.
    ``nonnegative``: the minimiser is one among images that are nowhere below zero.
    ``initial``: a first ``"guess"``, or ``"noise"`` as in the paper (``initial_guess``), whose
    first level is by default 20 standard deviations of a pixel.

    After the example of ``invscore.methods``:

    >>> result = reconstruct(problem, prior, method="diffpir", samples=4, lam=2.0)
    >>> bool((result.mean - exact.mean).abs().mean() < 0.1)
    True
    """
    operator, y, variance = problem.linear_gaussian("diffpir")
    first = levels.guessed if initial == "guess" else levels.widest
    high = first(prior) if sigma_max is None else sigma_max
    low = levels.fine(prior) if sigma_min is None else sigma_min
    sigmas = levels.karras(steps, high, low)
    x = initial_guess(problem, prior, sigmas[0], rng, initial)
    for sigma, lower in pairwise(sigmas):
        denoised = prior.denoise(x, sigma)
        if nonnegative:
            fitted = proximal(problem, denoised, sigma / lam**0.5, nonnegative=True)
        else:
            weight = lam * variance / sigma**2
            fitted = denoised + operator.ridge(y - operator.matvec(denoised), weight)
        x = renoise(fitted, (x - fitted) / sigma, lower, zeta**0.5, rng)
        yield Step(x, fitted, lower)
