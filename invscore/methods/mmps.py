"""Moment matching posterior sampling."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from torch import Tensor

from invscore.batches import PerImage, per_image
from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.common.conditioned import (
    EVALUATIONS,
    Conditioned,
    ConditionedDenoiser,
    matched_gradient,
    sample_posterior,
)
from invscore.methods.common.initial_guess import Initial
from invscore.options.ranges import Count, Level, Share
from invscore.priors.base import Prior
from invscore.rng import SampleRNG
from invscore.sampling.base import SamplerName


def conditioned(problem: InverseProblem, prior: Prior, *, cg_steps: int = 3) -> ConditionedDenoiser:
    """``D + sigma^2 J^T A^H (sigma^2 A J A^H + S)^-1 (y - A D)`` as a denoiser, see ``mmps``."""
    return ConditionedDenoiser(partial(_posterior_mean, cg_steps), problem, prior)


def _posterior_mean(
    cg_steps: int, problem: InverseProblem, prior: Prior, x: Tensor, sigma: PerImage
) -> Conditioned:
    denoised, pull = prior.pullback(x, sigma)
    noise = per_image(sigma, x) ** 2

    def covariance(v: Tensor) -> Tensor:
        return noise * pull(v)

    gradient, made = matched_gradient(problem, denoised, covariance, iterations=cg_steps)
    return Conditioned(denoised + noise * pull(gradient), {"cg_iterations": made})


@register(
    "mmps",
    exact=False,
    law="posterior of any Gaussian prior as steps, cg_steps and sigma_max grow; biased elsewhere",
    evaluations=EVALUATIONS,
    products=f"(1 + cg_steps) * ({EVALUATIONS})",
    cites="Rozet et al. 2024, Sec. 4.2",
    denoiser=conditioned,
)
def mmps(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count = 100,
    cg_steps: Count = 3,
    sampler: SamplerName = "ddim",
    eta: Share | None = None,
    sigma_max: Level | None = None,
    initial: Initial = "guess",
) -> Iterator[Step]:
    """Moment matching posterior sampling (MMPS).

    Guided by the likelihood of D(x) with its whole uncertainty. Models ``x0 | x ~ N(D(x), sigma^2
    J)``, whose covariance is the true one (Tweedie), so that ``grad log p(y | x) = J^T A^H (sigma^2
    A J A^H + S)^-1 (y - A D)``, by conjugate gradients on products with J, taken to be symmetric as
    that of an exact denoiser is. Corrects the denoiser by sigma^2 times itself for a sampler.
    Serves any operator, linearised at D, and any noise, of variance S at A(D). No step size.

    ``steps``: of the sampler. ``cg_steps``: iterations of conjugate gradients, each with one
    Jacobian product. ``sampler``: of ``invscore.sampling``, DDIM by default. ``eta``: DDIM's share
    of fresh noise, 0 to 1, its default. ``sigma_max``: the first level, in image units (default: 4
    standard deviations of a pixel).
    ``initial``: a first ``"guess"``, or ``"noise"`` as in the paper (``initial_guess``), whose
    first level is by default 20 standard deviations of a pixel.

    After the example of ``invscore.methods``:

    >>> result = reconstruct(problem, prior, method="mmps", samples=4, cg_steps=2)
    >>> bool((result.mean - exact.mean).abs().mean() < 0.1)
    True
    """
    return sample_posterior(
        conditioned(problem, prior, cg_steps=cg_steps),
        rng,
        sampler=sampler,
        steps=steps,
        eta=eta,
        sigma_max=sigma_max,
        initial=initial,
    )
