"""Tweedie moment projected diffusion."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.common.conditioned import matched_gradient, sample_posterior
from invscore.priors.base import Prior
from invscore.ranges import Count, Level, Share
from invscore.rng import SampleRNG


@register(
    "tmpd",
    exact=False,
    law="posterior of a Gaussian prior with independent pixels as steps grow; biased elsewhere",
    products="2",
    cites="Boys et al. 2023, Sec. 3",
)
def tmpd(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count = 1000,
    eta: Share = 1.0,
    sigma_max: Level | None = None,
) -> Iterator[Step]:
    """Tweedie moment projected diffusion: the likelihood of D(x) with an uncertainty per pixel.

    Models ``x0 | x ~ N(D(x), diag(c))``, where ``c = sigma^2 J 1``, the sums over the rows of
    ``Cov(x0 | x) = sigma^2 J``, cut off at 0; of a complex image, of the part of J that takes real
    parts to real parts. So ``grad log p(y | x) = J^T A^H (A diag(c) A^H + S)^-1 (y - A D)`` by
    conjugate gradients, which corrects the denoiser by sigma^2 times itself for DDIM. Serves any
    operator, linearised at D, and any noise, of variance S at A(D). No step size, but row sums that
    understate the uncertainty, as negative correlations make them do, diverge in few steps.

    ``steps``: denoiser evaluations on DDPM's schedule. ``eta``: share of fresh noise, 0 to 1 (the
    paper's ancestral sampling). ``sigma_max``: the first level, in image units (default: 4 standard
    deviations of a pixel).
    """

    def posterior_mean(x: Tensor, sigma: float) -> Tensor:
        denoised, pull = prior.pullback(x, sigma)
        spread = sigma**2 * pull(torch.ones_like(x)).real.clamp_min(0)
        return denoised + sigma**2 * pull(matched_gradient(problem, denoised, lambda v: spread * v))

    return sample_posterior(
        posterior_mean, problem, prior, rng, steps=steps, eta=eta, sigma_max=sigma_max
    )
