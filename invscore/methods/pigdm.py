"""Pseudoinverse-guided diffusion."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import Literal

from torch import Tensor

from invscore import levels
from invscore.batches import PerImage, per_image
from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.common.conditioned import (
    EVALUATIONS,
    Conditioned,
    ConditionedDenoiser,
    sample_posterior,
)
from invscore.methods.common.initial_guess import Initial, initial_guess
from invscore.options.ranges import Count, Level, Share, Weight
from invscore.priors.base import Prior
from invscore.rng import SampleRNG
from invscore.sampling import ddim_step
from invscore.sampling.base import SamplerName

Guidance = Literal["step", "score"]
PAPERS_ETA = 0.2


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
    denoised, shift = _guided(v, problem, prior, x, sigma)
    noise = per_image(sigma, x) ** 2
    return Conditioned(denoised + noise / _spread(v, noise) * shift)


def _guided(
    v: float, problem: InverseProblem, prior: Prior, x: Tensor, sigma: PerImage
) -> tuple[Tensor, Tensor]:
    """``D`` and ``r^2 grad log p(y | x)``, see ``pigdm``."""
    operator, y, variance = problem.linear_gaussian("pigdm")
    denoised, pull = prior.pullback(x, sigma)
    spread = _spread(v, per_image(sigma, x) ** 2)
    shift = operator.ridge(y - operator.matvec(denoised), variance / spread.flatten())
    return denoised, pull(shift)


def _spread(v: float, noise: Tensor) -> Tensor:
    """r^2, the variance of a pixel of x0 about D."""
    return v * noise / (v + noise)


@register(
    "pigdm",
    exact=False,
    law="biased: every step fits y anew; with guidance=score the posterior of an isotropic "
    "Gaussian prior as steps and sigma_max grow",
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
    guidance: Guidance = "step",
    sampler: SamplerName = "ddim",
    eta: Share | None = None,
    sigma_max: Level | None = None,
    prior_variance: Weight | None = None,
    initial: Initial = "guess",
) -> Iterator[Step]:
    """Pseudoinverse-guided diffusion (PiGDM).

    Guided by the likelihood of D(x) with an isotropic uncertainty. Models ``x0 | x ~ N(D(x), r^2
    I)`` with ``r^2 = v sigma^2 / (v + sigma^2)``, v the variance of a pixel under the prior, so
    that ``g = grad log p(y | x) = J^T A^H (r^2 A A^H + s^2 I)^-1 (y - A D)``. The paper's Algorithm
    1 adds ``r^2 g`` to each step of DDIM. However short the steps are, each does so: A D is fitted
    to y again and again, and what y measures spreads less the more steps there are: at the defaults
    and Gaussian priors, in the directions that are measured best, by 0.01 of the posterior's
    variance. With ``guidance="score"``, Bayes' rule is followed instead: the denoiser becomes ``D +
    sigma^2 g``, and any sampler does the rest, in the limit of many steps from a large
    ``sigma_max`` exactly for an isotropic Gaussian prior, and biased otherwise.

    ``steps``: of the sampler. ``guidance``: ``"step"``, the paper's, or ``"score"``. ``sampler``:
    of ``invscore.sampling``, which must be DDIM for ``"step"``. ``eta``: DDIM's share of fresh
    noise in each step, 0 (deterministic) to 1 (ancestral); by default the paper's 0.2 for
    ``"step"`` and 1 for ``"score"``. ``sigma_max``: the first level, in image units (default: 4
    standard deviations of a pixel). ``prior_variance``: v, by default what the prior says. The
    paper has 1; that of a single mode serves where the measurement has chosen the mode.
    ``initial``: a first ``"guess"``, or ``"noise"`` as in the paper (``initial_guess``), whose
    first level is by default 20 standard deviations of a pixel.

    Raises ``ValueError`` for another sampler than DDIM with ``guidance="step"``.

    After the example of ``invscore.methods``:

    >>> result = reconstruct(problem, prior, method="pigdm", samples=4, guidance="score")
    >>> bool((result.mean - exact.mean).abs().mean() < 0.1)
    True
    """
    if guidance == "score":
        yield from sample_posterior(
            conditioned(problem, prior, prior_variance=prior_variance),
            rng,
            sampler=sampler,
            steps=steps,
            eta=eta,
            sigma_max=sigma_max,
            initial=initial,
        )
        return
    if sampler != "ddim":
        raise ValueError(
            f"`sampler` must be 'ddim' with guidance 'step' (any with 'score'), got {sampler!r}"
        )
    v = prior.variance if prior_variance is None else prior_variance
    first = levels.wide if initial == "guess" else levels.widest
    sigmas = levels.ddpm(steps, prior, first(prior) if sigma_max is None else sigma_max)
    x = initial_guess(problem, prior, sigmas[0], rng, initial)
    for sigma, lower in pairwise(sigmas):
        denoised, shift = _guided(v, problem, prior, x, sigma)
        x = ddim_step(x, denoised, sigma, lower, PAPERS_ETA if eta is None else eta, rng) + shift
        yield Step(x, denoised, lower)
