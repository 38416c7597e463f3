"""Pseudoinverse-guided diffusion."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.common.conditioned import sample_posterior
from invscore.priors.base import Prior
from invscore.ranges import Count, Level, Share, Weight
from invscore.rng import SampleRNG


@register(
    "pigdm",
    exact=False,
    law="posterior of an isotropic Gaussian prior as steps grow; biased elsewhere",
    needs=("linear", "gaussian"),
    products="1",
    cites="Song et al. 2023, Algorithm 1",
)
def pigdm(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count = 100,
    eta: Share = 1.0,
    sigma_max: Level | None = None,
    prior_variance: Weight | None = None,
) -> Iterator[Step]:
    """Pseudoinverse-guided diffusion: the likelihood of D(x) with an isotropic uncertainty.

    Models ``x0 | x ~ N(D(x), r^2 I)`` with ``r^2 = v sigma^2 / (v + sigma^2)``, v the variance of
    a pixel under the prior, so that
    ``grad log p(y | x) = J^T A^H (r^2 A A^H + s^2 I)^-1 (y - A D)``. That gradient corrects
    the denoiser, ``D + sigma^2 grad log p(y | x)``, and DDIM does the rest. Exact for an isotropic
    Gaussian prior in the limit of many steps (at any ``eta``), biased otherwise.

    ``steps``: denoiser evaluations (each with one Jacobian product) on DDPM's schedule.
    ``eta``: share of fresh noise in each step, 0 (deterministic) to 1 (ancestral); the paper has
    0.2, validation photographs preferred 1. ``sigma_max``: the first level, in image units
    (default: 4 standard deviations of a pixel). ``prior_variance``: v, by default what the prior
    says. The paper has 1; that of a single mode serves where the measurement has chosen the mode.
    """
    operator, y, variance = problem.linear_gaussian("pigdm")
    v = prior.variance if prior_variance is None else prior_variance

    def posterior_mean(x: Tensor, sigma: float) -> Tensor:
        denoised, pull = prior.pullback(x, sigma)
        spread = v * sigma**2 / (v + sigma**2)
        shift = operator.ridge(y - operator.matvec(denoised), variance / spread)
        return denoised + sigma**2 / spread * pull(shift)

    return sample_posterior(
        posterior_mean, problem, prior, rng, steps=steps, eta=eta, sigma_max=sigma_max
    )
