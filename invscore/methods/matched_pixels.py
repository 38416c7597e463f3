"""Draws of the clean image whose pixels are as uncertain as the denoiser leaves them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from invscore import levels
from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.common.initial_guess import Initial, initial_guess
from invscore.methods.common.langevin_draw import langevin_draw
from invscore.options.ranges import Count, Level, StableStep
from invscore.priors.base import Prior
from invscore.rng import SampleRNG, random_signs

PROBES = 2
"""Number of random directions in which J is probed: the difference of two tells how much a pixel's
value is to be believed."""
LEAST = 1e-6
"""Least entry of the diagonal of J."""


@register(
    "matched_pixels",
    exact=False,
    law="near the posterior of independent pixels; biased elsewhere",
    products=f"{PROBES}",
    cites="Tweedie's covariance by pixel (Boys et al. 2023), the renewal of Zhang et al. 2024 "
    "(DAPS), the draw of Oliver et al. 1996 and Leimkuhler & Matthews 2013; here",
    white=True,
)
def matched_pixels(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count = 20,
    mcmc_steps: Count = 20,
    step_size: StableStep = 0.3,
    sigma_max: Level | None = None,
    sigma_min: Level | None = None,
    initial: Initial = "guess",
) -> Iterator[Step]:
    """Moment-matched diffusion, the covariance by pixel.

    Draws the clean image given y, each pixel as uncertain as D leaves it, adds noise again. Takes
    ``p(x0 | x)`` for ``N(D, C)`` with C diagonal: Tweedie's covariance ``sigma^2 J`` of each pixel,
    J the Jacobian of D. At each level x0 is drawn from that Gaussian given y, by Langevin dynamics
    from where Gauss-Newton steps lead (``langevin_draw``), and noise of the next level added to it:
    if the draw were from p(x0 | x, y), so would x be from its posterior at every level, as it is
    for independent Gaussian pixels but for the steps of the dynamics, whatever the operator. The
    diagonal is seen in two products with random signs, exactly where J is diagonal; elsewhere a
    pixel's share is believed as far as the two agree, and else the mean of the image. The last step
    ends at x0. Serves any operator and noise.

    ``steps``: levels, spaced as in Karras et al. 2022, Eq. 5; each costs an evaluation and two
    Jacobian products. ``mcmc_steps``: Langevin steps a level, of length ``step_size`` over the
    curvature. ``sigma_max``, ``sigma_min``: first and last level, in image units (default: 20 and
    0.04 standard deviations of a pixel under the prior). ``initial``: a first ``"guess"``, or
    ``"noise"`` (``initial_guess``).

    After the example of ``invscore.methods``:

    >>> result = reconstruct(problem, prior, method="matched_pixels", samples=4)
    >>> bool((result.mean - exact.mean).abs().mean() < 0.1)
    True
    """
    high = levels.widest(prior) if sigma_max is None else sigma_max
    low = levels.fine(prior) if sigma_min is None else sigma_min
    sigmas = levels.karras(steps, high, low)
    x = initial_guess(problem, prior, sigmas[0], rng, initial)
    for sigma, lower in pairwise(sigmas):
        denoised, share = passed(prior, x, sigma)
        drawn = langevin_draw(
            problem,
            denoised,
            sigma * share.sqrt(),
            rng,
            mcmc_steps=mcmc_steps,
            step_size=step_size,
        )
        x = drawn + lower * rng.normal_like(drawn) if lower > 0 else drawn
        yield Step(x, drawn, lower)


def passed(prior: Prior, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """``D(x)`` and the share of the noise of each pixel that it passes: the diagonal of J.

    By products with random signs v, ``v J v``, exact where J is diagonal. Elsewhere they have
    noise, which two of them tell: the more of it, the nearer is a pixel's share to the mean.
    """
    denoised, pull = prior.pullback(x, sigma)
    generator = torch.Generator().manual_seed(0)
    looks = []
    for _ in range(PROBES):
        signs = random_signs(x.shape[1:], x.dtype, generator).to(x.device).expand(x.shape)
        looks.append((signs.conj() * pull(signs)).real / (2 if x.is_complex() else 1))
    first, second = looks
    places = tuple(range(1, x.ndim))
    share, noise = (
        (first + second) / 2,
        (first - second).square().mean(dim=places, keepdim=True) / 4,
    )
    mean = share.mean(dim=places, keepdim=True)
    away = share - mean
    spread = away.square().mean(dim=places, keepdim=True)
    believed = (1 - noise / spread.clamp_min(1e-30)).clamp(0, 1)
    return denoised, (mean.clamp(LEAST, 1) + believed * away).clamp_min(LEAST)
