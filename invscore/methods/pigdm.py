"""Pseudoinverse-guided diffusion."""

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
    sample_posterior,
)
from invscore.methods.common.initial_guess import Initial
from invscore.priors.base import Prior
from invscore.ranges import Count, Level, Share, Weight
from invscore.rng import SampleRNG
from invscore.sampling.base import SamplerName


def conditioned(
    problem: InverseProblem, prior: Prior, *, prior_variance: float | None = None
) -> ConditionedDenoiser:
    """``D + sigma^2 J^T A^H (r^2 A A^H + s^2 I)^-1 (y - A D)`` as a denoiser, see ``pigdm``."""
    problem.linear_gaussian("pigdm")
    v = prior.variance if prior_variance is None else prior_variance
    return ConditionedDenoiser(partial(_posterior_mean, v), problem, prior)


def _posterior_mean(
    v: float, problem: InverseProblem, prior: Prior, x: Tensor, sigma: PerImage
) -> Conditioned:
    operator, y, variance = problem.linear_gaussian("pigdm")
    denoised, pull = prior.pullback(x, sigma)
    noise = per_image(sigma, x) ** 2
    spread = v * noise / (v + noise)
    shift = operator.ridge(y - operator.matvec(denoised), variance / spread.flatten())
    return Conditioned(denoised + noise / spread * pull(shift))


@register(
    "pigdm",
    exact=False,
    law="posterior of an isotropic Gaussian prior as steps and sigma_max grow; biased elsewhere",
    needs=("linear", "gaussian"),
    evaluations=EVALUATIONS,
    products=EVALUATIONS,
    cites="Song et al. 2023, Algorithm 1",
    denoiser=conditioned,
)
def pigdm(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count = 100,
    sampler: SamplerName = "ddim",
    eta: Share | None = None,
    sigma_max: Level | None = None,
    prior_variance: Weight | None = None,
    initial: Initial = "guess",
) -> Iterator[Step]:
    """Pseudoinverse-guided diffusion: the likelihood of D(x) with an isotropic uncertainty.

    Models ``x0 | x ~ N(D(x), r^2 I)`` with ``r^2 = v sigma^2 / (v + sigma^2)``, v the variance of
    a pixel under the prior, so that
    ``grad log p(y | x) = J^T A^H (r^2 A A^H + s^2 I)^-1 (y - A D)``. That gradient corrects
    the denoiser, ``D + sigma^2 grad log p(y | x)``, and a sampler does the rest. Exact for an
    isotropic Gaussian prior in the limit of many steps from a large ``sigma_max``, biased
    otherwise. The paper adds the gradient, times r^2 and the signal's scale, to the step of DDIM
    and leaves its denoiser as it is, which no other sampler can; limits are the same.

    ``steps``: of the sampler. ``sampler``: of ``invscore.sampling``, DDIM by default. ``eta``:
    DDIM's share of fresh noise in each step, 0 (deterministic) to 1 (ancestral, the default); the
    paper has 0.2, validation photographs preferred 1. ``sigma_max``: the first level, in image
    units (default: 4 standard deviations of a pixel). ``prior_variance``: v, by default what the
    prior says. The paper has 1; that of a single mode serves where the measurement has chosen the
    mode.
    ``initial``: a first ``"guess"``, or ``"noise"`` as in the paper (``initial_guess``), whose
    first level is by default 20 standard deviations of a pixel.

    After the example of ``invscore.methods``:

    >>> result = reconstruct(problem, prior, method="pigdm", samples=4, eta=0.5)
    >>> bool((result.mean - exact.mean).abs().mean() < 0.1)
    True
    """
    return sample_posterior(
        conditioned(problem, prior, prior_variance=prior_variance),
        rng,
        sampler=sampler,
        steps=steps,
        eta=eta,
        sigma_max=sigma_max,
        initial=initial,
    )
