"""Diffusion posterior sampling."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from torch import Tensor

from invscore import levels
from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.common.initial_guess import Initial, initial_guess
from invscore.methods.common.tempering import informed_share
from invscore.operators.cg import inner
from invscore.options.ranges import Count, Guidance
from invscore.priors.base import Prior
from invscore.rng import SampleRNG
from invscore.sampling import ddim_step


@register(
    "dps",
    exact=False,
    law="biased: ignores the noise level",
    products="1",
    cites="Chung et al. 2023, Algorithm 1",
)
def dps(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count = 1000,
    guidance: Guidance = 0.3,
    initial: Initial = "guess",
) -> Iterator[Step]:
    """Diffusion posterior sampling (DPS).

    Ancestral sampling, pulled towards the measurement. Each ancestral step of DDPM is followed by
    ``-guidance grad |y - A(D(x))|``, the gradient taken through the denoiser, the norm unsquared
    and one for each image. Serves any operator; the noise level enters but where it is that of
    images, beyond which the pull fades (``informed_share``). Biased: the step has no limit in which
    it samples the posterior.

    ``steps``: denoiser evaluations, spread over DDPM's 1000 times.
    ``guidance``: the paper's zeta, a length in the units of [-1, 1]: 0.3 for blur and
    super-resolution, 0.5 for inpainting, 1.0 for phase retrieval.
    ``initial``: a first ``"guess"``, or ``"noise"`` as in the paper (``initial_guess``).

    After the example of ``invscore.methods``:

    >>> result = reconstruct(problem, prior, method="dps", samples=4, steps=100, guidance=0.3)
    >>> bool((result.mean - exact.mean).abs().mean() < 0.1)
    True
    """
    sigmas = levels.ddpm(steps, prior, levels.widest(prior))
    x = initial_guess(problem, prior, sigmas[0], rng, initial)
    strength = guidance * informed_share(problem, prior, x)
    for sigma, lower in pairwise(sigmas):
        x, denoised = guided_step(problem, prior, x, sigma, lower, strength, rng)
        yield Step(x, denoised, lower)


def guided_step(
    problem: InverseProblem,
    prior: Prior,
    x: Tensor,
    sigma: float,
    lower: float,
    guidance: Tensor,
    rng: SampleRNG,
) -> tuple[Tensor, Tensor]:
    """The next state, at level ``lower``, and the denoised image at ``sigma``.

    ``guidance``: (b, 1, ..., 1).
    """
    denoised, pull = prior.pullback(x, sigma)
    residual = problem.residual(denoised)
    length = inner(residual, residual).sqrt().clamp_min(1e-12)
    gradient = pull(problem.operator.vjp(denoised, residual / length))
    # The paper steps in sqrt(abar) x; dividing by sqrt(abar) before and after the step.
    inflation = ((1 + (sigma / prior.unit) ** 2) * (1 + (lower / prior.unit) ** 2)) ** 0.5
    x = ddim_step(x, denoised, sigma, lower, 1.0, rng)
    return x + guidance * prior.unit * inflation * gradient, denoised
