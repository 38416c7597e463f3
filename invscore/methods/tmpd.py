"""Tweedie moment projected diffusion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
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
from invscore.operators import jacobian
from invscore.options.ranges import Count, Level, Share
from invscore.priors.base import Prior
from invscore.rng import SampleRNG
from invscore.sampling.base import SamplerName

Sums = Literal["measurements", "pixels"]


def conditioned(
    problem: InverseProblem, prior: Prior, *, sums: Sums = "measurements"
) -> ConditionedDenoiser:
    """``D + sigma^2 J^T A^H (diag(c) + S)^-1 (y - A D)`` as a denoiser, see ``tmpd``."""
    rule = _of_measurements if sums == "measurements" else _of_pixels
    return ConditionedDenoiser(rule, problem, prior)


def _of_measurements(
    problem: InverseProblem, prior: Prior, x: Tensor, sigma: PerImage
) -> Conditioned:
    denoised, pull = prior.pullback(x, sigma)
    noise = per_image(sigma, x) ** 2
    clean, tangent = problem.operator(denoised), jacobian(problem.operator, denoised)
    ones = torch.ones_like(clean)
    spread = noise_like(noise, clean) * tangent.matvec(pull(tangent.rmatvec(ones))).real
    total = spread.clamp_min(0) + problem.noise.variance(clean)
    return Conditioned(
        denoised + noise * pull(tangent.rmatvec(problem.working_residual(clean) / total))
    )


def _of_pixels(problem: InverseProblem, prior: Prior, x: Tensor, sigma: PerImage) -> Conditioned:
    denoised, pull = prior.pullback(x, sigma)
    noise = per_image(sigma, x) ** 2
    spread = noise * pull(torch.ones_like(x)).real.clamp_min(0)
    gradient, made = matched_gradient(problem, denoised, lambda v: spread * v)
    return Conditioned(denoised + noise * pull(gradient), {"cg_iterations": made})


def noise_like(noise: Tensor, like: Tensor) -> Tensor:
    """A number, or one an image, (b, 1, ..., 1), that broadcasts against ``like``."""
    return noise if noise.ndim == 0 else noise.reshape(-1, *[1] * (like.ndim - 1))


@register(
    "tmpd",
    exact=False,
    law="posterior of a Gaussian prior where C and A C A^H are diagonal, as steps and sigma_max "
    "grow; biased elsewhere",
    evaluations=EVALUATIONS,
    products=f"2 * ({EVALUATIONS})",
    cites="Boys et al. 2023, Sec. 3",
    denoiser=conditioned,
)
def tmpd(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count = 1000,
    sums: Sums = "measurements",
    sampler: SamplerName = "ddim",
    eta: Share | None = None,
    sigma_max: Level | None = None,
    initial: Initial = "guess",
) -> Iterator[Step]:
    """Tweedie moment projected diffusions (TMPD).

    Guided by the likelihood of A D(x) with an uncertainty a number. Models ``A x0 | x ~ N(A D(x),
    diag(c))``, where ``c = sigma^2 A J A^H 1``, the sums over the rows of ``A Cov(x0 | x) A^H``,
    cut off at 0; so ``grad log p(y | x) = J^T A^H (diag(c) + S)^-1 (y - A D)``, which corrects the
    denoiser by sigma^2 times itself for a sampler. Serves any operator, linearised at D, and any
    noise, of variance S at A(D). No step size, but row sums that understate the uncertainty, as
    negative correlations make them do, diverge in few steps.

    ``steps``: of the sampler. ``sums``: those of the ``measurements`` are the paper's; with those
    of ``pixels``, x0 given x is N(D, diag(sigma^2 J 1)), and the gradient that of A x0 + noise, by
    conjugate gradients: exact for independent pixels whatever the operator. ``sampler``: of
    ``invscore.sampling``, DDIM by default. ``eta``: DDIM's share of fresh noise, 0 to 1 (the
    default and the paper's ancestral sampling). ``sigma_max``: the first level, in image units
    (default: 4 standard deviations of a pixel).
    ``initial``: a first ``"guess"``, or ``"noise"`` as in the paper (``initial_guess``), whose
    first level is by default 20 standard deviations of a pixel.

    After the example of ``invscore.methods``:

    >>> result = reconstruct(problem, prior, method="tmpd", samples=4, steps=50, sums="pixels")
    >>> bool((result.mean - exact.mean).abs().mean() < 0.1)
    True
    """
    return sample_posterior(
        conditioned(problem, prior, sums=sums),
        rng,
        sampler=sampler,
        steps=steps,
        eta=eta,
        sigma_max=sigma_max,
        initial=initial,
    )
