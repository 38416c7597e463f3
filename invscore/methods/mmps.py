"""Moment matching posterior sampling."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.common.conditioned import matched_gradient, sample_posterior
from invscore.priors.base import Prior
from invscore.ranges import Count, Level, Share
from invscore.rng import SampleRNG


@register(
    "mmps",
    exact=False,
    law="posterior of any Gaussian prior as steps and cg_steps grow; biased elsewhere",
    products="1 + cg_steps",
    cites="Rozet et al. 2024, Sec. 4.2",
)
def mmps(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count = 100,
    cg_steps: Count = 3,
    eta: Share = 1.0,
    sigma_max: Level | None = None,
) -> Iterator[Step]:
    """Moment matching posterior sampling: the likelihood of D(x) with its whole uncertainty.

    Models ``x0 | x ~ N(D(x), sigma^2 J)``, whose covariance is the true one (Tweedie), so that
    ``grad log p(y | x) = J^T A^H (sigma^2 A J A^H + S)^-1 (y - A D)``, by conjugate gradients on
    products with J, taken to be symmetric as that of an exact denoiser is. Corrects the denoiser by
    sigma^2 times itself for DDIM. Serves any operator, linearised at D, and any noise, of variance
    S at A(D). No step size.

    ``steps``: denoiser evaluations on DDPM's schedule. ``cg_steps``: iterations of conjugate
    gradients, each with one Jacobian product. ``eta``: share of fresh noise, 0 to 1. ``sigma_max``:
    the first level, in image units (default: 4 standard deviations of a pixel).
    """

    def posterior_mean(x: Tensor, sigma: float) -> Tensor:
        denoised, pull = prior.pullback(x, sigma)

        def covariance(v: Tensor) -> Tensor:
            return sigma**2 * pull(v)

        gradient = matched_gradient(problem, denoised, covariance, iterations=cg_steps)
        return denoised + sigma**2 * pull(gradient)

    return sample_posterior(
        posterior_mean, problem, prior, rng, steps=steps, eta=eta, sigma_max=sigma_max
    )
